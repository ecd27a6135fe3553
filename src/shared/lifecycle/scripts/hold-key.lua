--[[
  Restores the deduplication key of a job that was retried, unless another job has the key now. BullMQ removes the key
  when a job ends. For a job that has ended again meanwhile, the key is not restored: nothing would remove it.

  KEYS[1] the job's hash    KEYS[2] completed    KEYS[3] failed (sorted sets)
  ARGV[1] the job's id      ARGV[2] the prefix of the queue's deduplication keys

  Cost: O(log N).
]]
local key = redis.call('HGET', KEYS[1], 'deid')
if not key or redis.call('ZSCORE', KEYS[2], ARGV[1]) or redis.call('ZSCORE', KEYS[3], ARGV[1]) then return end
redis.call('SET', ARGV[2] .. key, ARGV[1], 'NX')
