--[[
  Reads the state of a BullMQ job atomically.

  KEYS[1] the job's hash    KEYS[2] active (list)     KEYS[3] completed   KEYS[4] failed
  KEYS[5] delayed           KEYS[6] prioritized       KEYS[7] waiting-children (sorted sets)
  KEYS[8] the queue's meta (hash)
  ARGV[1] the job's id

  Returns false when there is no such job, else the fields that REPLY_FIELDS in lifecycle/scripts.ts names, in that order,
  as strings. FIELD has the position of each. `due` is "" unless the job is delayed; `paused` is "1" or "". `foreignLines` is
  the length of BullMQ's log of the job if it has lines that Headway's workers did not write (see hw:logged in log.lua),
  else "0".

  Cost: O(log N), and O(active jobs) for a job that has started and has no lock.
]]
-- BullMQ's keys of a queue share one namespace with its jobs. A job scheduler even has a name, but no timestamp.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return false end
local hashFields = {'name', 'ats', 'atm', 'stc', 'timestamp', 'processedOn', 'finishedOn', 'failedReason', 'returnvalue',
  'progress', 'opts', 'hw:cancel', 'hw:code', 'defa', 'hw:logged'}
local job = {}
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(hashFields))) do job[hashFields[i]] = value end
if not job.name or not job.timestamp then return false end

local state, due = 'waiting', ''
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  state = 'completed'
elseif redis.call('ZSCORE', KEYS[4], ARGV[1]) then
  state = 'failed'
elseif redis.call('EXISTS', KEYS[1] .. ':lock') == 1
  -- A job in the active list has one of these: processedOn from a worker, or defa from cancel.lua.
  or ((job.processedOn or job.defa) and redis.call('LPOS', KEYS[2], ARGV[1])) then
  state = 'active'
elseif redis.call('ZSCORE', KEYS[6], ARGV[1]) then
  state = 'prioritized'
elseif redis.call('ZSCORE', KEYS[7], ARGV[1]) then
  state = 'waiting-children'
else
  local score = redis.call('ZSCORE', KEYS[5], ARGV[1])
  if score then
    state = 'delayed'
    -- BullMQ stores the time in the upper bits of the score and the order of arrival in the lower twelve.
    due = string.format('%.0f', math.floor(tonumber(score) / 4096))
  end
end
local reply = {}
for _, field in ipairs(hashFields) do
  if FIELD[field] then reply[FIELD[field]] = job[field] or '' end
end
reply[FIELD.state], reply[FIELD.due] = state, due
-- Another tool may have stored megabytes. At most 10,000 characters are shown.
if #reply[FIELD.failedReason] > 40000 then
  reply[FIELD.failedReason] = string.sub(reply[FIELD.failedReason], 1, 40000)
end
reply[FIELD.paused] = redis.call('HEXISTS', KEYS[8], 'paused') == 1 and '1' or ''
-- BullMQ stores the children in keys next to the parent's: a set of pending ones, a hash of results, a hash of reasons. A
-- key of another type, written by another tool, counts as empty.
local function size(command, suffix)
  local count = redis.pcall(command, KEYS[1] .. suffix)
  return type(count) == 'number' and count or 0
end
reply[FIELD.pendingChildren] = tostring(size('SCARD', ':dependencies'))
reply[FIELD.completedChildren] = tostring(size('HLEN', ':processed'))
reply[FIELD.failedChildren] = tostring(size('HLEN', ':failed') + size('ZCARD', ':unsuccessful'))
local lines = size('LLEN', ':logs')
reply[FIELD.foreignLines] = tostring(lines > (tonumber(job['hw:logged']) or 0) and lines or 0)
return reply
