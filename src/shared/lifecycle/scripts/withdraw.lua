--[[
  Withdraws a BullMQ job: one that waits is taken out of the queue, one that runs is marked and its worker told.

  A job that is taken lands in the active list without a lock, for the caller to move on to failed with BullMQ's own
  script. Should the caller die before that, the job is found stalled and fails without being run: "defa" is BullMQ's
  word for that.

  KEYS[1] the job's hash    KEYS[2] active (list)    KEYS[3] completed   KEYS[4] failed   KEYS[5] delayed
  KEYS[6] prioritized       KEYS[7] waiting-children (sorted sets)       KEYS[8] wait     KEYS[9] paused (lists)
  ARGV[1] the job's id
  ARGV[2] "cancel", or "expire": then only a job that has never begun, nor come to an end, is withdrawn
  ARGV[3] what failedReason is going to be
  ARGV[4] the Pub/Sub channel on which workers are told
  ARGV[5] the id by which they know the job

  Fields of the job's hash that are ours: "hw:cancel" ("asked", later "told") and "hw:code" ("<attempt> <error code>").

  Returns "missing", "ended", "taken" (the caller has to fail it), "told" (its worker has been told), "parent" (it waits
  for its children) or "begun" (too late to expire).
]]
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 'missing' end
local job = redis.call('HMGET', KEYS[1], 'name', 'ats', 'hw:cancel', 'hw:code')
if not job[1] then return 'missing' end
if redis.call('ZSCORE', KEYS[3], ARGV[1]) or redis.call('ZSCORE', KEYS[4], ARGV[1]) then return 'ended' end
local cancel = ARGV[2] == 'cancel'
-- One that came to its end before (it has a mark of that) and was put back is to run, however late it is.
if not cancel and (tonumber(job[2] or '0') > 0 or job[3] or job[4]) then return 'begun' end

if redis.call('EXISTS', KEYS[1] .. ':lock') == 1 or redis.call('LPOS', KEYS[2], ARGV[1]) then
  if not cancel then return 'begun' end
  -- Taken by somebody who did not come to fail it: whoever asks again does.
  if redis.call('HGET', KEYS[1], 'defa') == ARGV[3] and redis.call('EXISTS', KEYS[1] .. ':lock') == 0 then
    return 'taken'
  end
  redis.call('HSET', KEYS[1], 'hw:cancel', 'asked')
  redis.call('PUBLISH', ARGV[4], 'cancel ' .. ARGV[5])
  return 'told'
end
if redis.call('ZSCORE', KEYS[7], ARGV[1]) then return 'parent' end

local removed = redis.call('LREM', KEYS[8], -1, ARGV[1]) + redis.call('LREM', KEYS[9], -1, ARGV[1])
  + redis.call('ZREM', KEYS[5], ARGV[1]) + redis.call('ZREM', KEYS[6], ARGV[1])
if removed == 0 then return 'missing' end
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'defa', ARGV[3])
if cancel then
  redis.call('HSET', KEYS[1], 'hw:cancel', 'asked')
else
  redis.call('HSET', KEYS[1], 'hw:code', (job[2] or '0') .. ' expired')
end
return 'taken'
