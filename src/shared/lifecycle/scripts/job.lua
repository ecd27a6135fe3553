--[[
  Reads the state of a BullMQ job atomically. The other keys of its queue are in the same slot.

  KEYS[1] the job's hash
  ARGV[1] the job's id

  Returns false when there is no such job, else the fields that REPLY_FIELDS in lifecycle/scripts.ts names, in that order,
  as strings, or false for a field that the job does not have. FIELD has the position of each. `due` is absent unless the job
  is delayed; `paused` is "1" for a job that waits in a paused queue. `foreignLines` is the length of BullMQ's log of the job
  if it has lines that Headway's workers did not write (see hw:logged in log.lua), else "0".

  Cost: O(log N), and O(active jobs) for a job that has started and has no lock.
]]
-- The fields that are not in the hash are set below.
local job = redis.pcall('HMGET', KEYS[1], unpack(FIELDS))
-- BullMQ's keys of a queue share one namespace with its jobs. A job scheduler even has a name, but no timestamp.
if job.err or not job[FIELD.name] or not job[FIELD.timestamp] then return false end

local queue = string.sub(KEYS[1], 1, -#ARGV[1] - 1)
local function scoreIn(set) return redis.call('ZSCORE', queue .. set, ARGV[1]) end

local state, due = 'waiting', false
if scoreIn('completed') then
  state = 'completed'
elseif scoreIn('failed') then
  state = 'failed'
elseif redis.call('EXISTS', KEYS[1] .. ':lock') == 1
  -- A job in the active list has one of these: processedOn from a worker, or defa from cancel.lua.
  or ((job[FIELD.processedOn] or job[FIELD.defa]) and redis.call('LPOS', queue .. 'active', ARGV[1])) then
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
job[FIELD.state], job[FIELD.due] = state, due
-- Another tool may have stored megabytes. At most 10,000 characters are shown.
local reason = job[FIELD.failedReason]
if reason and #reason > 40000 then job[FIELD.failedReason] = string.sub(reason, 1, 40000) end
local waits = state ~= 'active' and state ~= 'completed' and state ~= 'failed'
job[FIELD.paused] = waits and redis.call('HEXISTS', queue .. 'meta', 'paused') == 1 and '1'
-- BullMQ stores the children in keys next to the parent's: a set of pending ones, a hash of results, a hash of reasons. A
-- key of another type, written by another tool, counts as empty. Most jobs have none of these keys.
local key = KEYS[1]
local hasOthers = redis.call('EXISTS', key .. ':dependencies', key .. ':processed', key .. ':failed',
  key .. ':unsuccessful', key .. ':logs') > 0
local function size(command, suffix)
  local count = hasOthers and redis.pcall(command, key .. suffix)
  return type(count) == 'number' and count or 0
end
job[FIELD.pendingChildren] = tostring(size('SCARD', ':dependencies'))
job[FIELD.completedChildren] = tostring(size('HLEN', ':processed'))
job[FIELD.failedChildren] = tostring(size('HLEN', ':failed') + size('ZCARD', ':unsuccessful'))
local lines = size('LLEN', ':logs')
job[FIELD.foreignLines] = tostring(lines > (tonumber(job[FIELD['hw:logged']]) or 0) and lines or 0)
return job
