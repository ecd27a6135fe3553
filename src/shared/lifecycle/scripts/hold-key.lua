--[[
  Gives a job that was put back its deduplication key again, if nobody has that now: BullMQ takes it away at the end of a
  job. One that has ended in the meantime gets nothing, since nobody would take it away.

  KEYS[1] the job's hash    KEYS[2] completed    KEYS[3] failed (sorted sets)
  ARGV[1] the job's id      ARGV[2] how the keys of the queue's deduplication keys begin

  Cost: O(log N).
]]
local key = redis.call('HGET', KEYS[1], 'deid')
if not key or redis.call('ZSCORE', KEYS[2], ARGV[1]) or redis.call('ZSCORE', KEYS[3], ARGV[1]) then return end
redis.call('SET', ARGV[2] .. key, ARGV[1], 'NX')
