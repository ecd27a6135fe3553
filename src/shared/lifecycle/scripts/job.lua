--[[
  Reads the state of a BullMQ job atomically. The other keys of its queue are in the same slot.

  KEYS[1] the job's hash
  ARGV[1] the job's id

  Returns false when there is no such job, else the fields that REPLY_FIELDS in lifecycle/scripts.ts names, in that order,
  as strings. FIELD has the position of each. `due` is "" unless the job is delayed; `paused` is "1" for a job that waits in
  a paused queue, else "". `foreignLines` is the length of BullMQ's log of the job if it has lines that Headway's workers did
  not write (see hw:logged in log.lua), else "0".

  Cost: O(log N), and O(active jobs) for a job that has started and has no lock.
]]
-- BullMQ's keys of a queue share one namespace with its jobs. A job scheduler even has a name, but no timestamp.
local hashFields = {'name', 'ats', 'atm', 'stc', 'timestamp', 'processedOn', 'finishedOn', 'failedReason', 'returnvalue',
  'progress', 'opts', 'hw:cancel', 'hw:code', 'defa', 'hw:logged'}
local values, job = redis.pcall('HMGET', KEYS[1], unpack(hashFields)), {}
if values.err then return false end
for i, value in ipairs(values) do job[hashFields[i]] = value end
if not job.name or not job.timestamp then return false end

local queue = string.sub(KEYS[1], 1, -#ARGV[1] - 1)
local function scoreIn(set) return redis.call('ZSCORE', queue .. set, ARGV[1]) end

local state, due = 'waiting', ''
if scoreIn('completed') then
  state = 'completed'
elseif scoreIn('failed') then
  state = 'failed'
elseif redis.call('EXISTS', KEYS[1] .. ':lock') == 1
  -- A job in the active list has one of these: processedOn from a worker, or defa from cancel.lua.
  or ((job.processedOn or job.defa) and redis.call('LPOS', queue .. 'active', ARGV[1])) then
  state = 'active'
elseif scoreIn('prioritized') then
  state = 'prioritized'
elseif scoreIn('waiting-children') then
  state = 'waiting-children'
else
  local score = scoreIn('delayed')
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
local waits = state ~= 'active' and state ~= 'completed' and state ~= 'failed'
reply[FIELD.paused] = waits and redis.call('HEXISTS', queue .. 'meta', 'paused') == 1 and '1' or ''
-- BullMQ stores the children in keys next to the parent's: a set of pending ones, a hash of results, a hash of reasons. A
-- key of another type, written by another tool, counts as empty. Most jobs have none of these keys.
local others = {}
for i, suffix in ipairs({':dependencies', ':processed', ':failed', ':unsuccessful', ':logs'}) do
  others[i] = KEYS[1] .. suffix
end
local hasOthers = redis.call('EXISTS', unpack(others)) > 0
local function size(command, suffix)
  local count = hasOthers and redis.pcall(command, KEYS[1] .. suffix)
  return type(count) == 'number' and count or 0
end
reply[FIELD.pendingChildren] = tostring(size('SCARD', ':dependencies'))
reply[FIELD.completedChildren] = tostring(size('HLEN', ':processed'))
reply[FIELD.failedChildren] = tostring(size('HLEN', ':failed') + size('ZCARD', ':unsuccessful'))
local lines = size('LLEN', ':logs')
reply[FIELD.foreignLines] = tostring(lines > (tonumber(job['hw:logged']) or 0) and lines or 0)
return reply
