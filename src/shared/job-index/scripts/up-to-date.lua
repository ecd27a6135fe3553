--[[
  Finds those of several jobs that run or have completed and for which a reconciliation has nothing to do but to compare
  them with their channel: the index has their state, and there is no cancel request, no line in BullMQ's log from a worker
  that knows only BullMQ, and after the end no child to cancel. Uses functions of record.lua.

  KEYS[1]  the records    KEYS[2] completed    KEYS[3] failed (sorted sets)    KEYS[4] and following: the jobs' hashes
  ARGV     for each job its id as clients know it and its id in BullMQ

  Returns for each job {"active" or "completed", its attempt, its owner or ""}, or false if it is not such a job.

  Cost: O(log N) for each job.
]]
local function examine(key, id, bullmqId)
  local record = recordIn(redis.call('HGET', KEYS[1], id))
  -- pcall: another tool may have replaced a job's keys, which must not fail the call for the other jobs.
  local job = redis.pcall('HMGET', key, 'timestamp', 'ats', 'hw:cancel', 'hw:logged')
  if job.err or not record or record[2] ~= timeIn(job[1]) or job[3] == 'asked' then return false end
  local state
  if redis.call('ZSCORE', KEYS[2], bullmqId) then
    state = 'completed'
  elseif not redis.call('ZSCORE', KEYS[3], bullmqId) and redis.call('EXISTS', key .. ':lock') == 1 then
    state = 'active'
  end
  if record[1] ~= state then return false end
  if state == 'completed' then
    if redis.call('EXISTS', key .. ':dependencies') == 1 then return false end
  elseif redis.call('EXISTS', key .. ':logs') == 1 then
    local lines = redis.pcall('LLEN', key .. ':logs')
    if type(lines) == 'number' and lines > (tonumber(job[4]) or 0) then return false end
  end
  return {state, timeIn(job[2]), record[4]}
end

local reply = {}
for i = 4, #KEYS do reply[i - 3] = examine(KEYS[i], ARGV[2 * i - 7], ARGV[2 * i - 6]) end
return reply
