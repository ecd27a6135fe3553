--[[
  Adds a line to the log that BullMQ keeps of a job, and notes that it needs nobody to carry it to the job's channel.

  KEYS[1] the job's hash
  KEYS[2] its log (list)
  ARGV[1] the line
  ARGV[2] how many lines are kept

  The field of the hash that is ours: "hw:logged", how many of the lines are on the channel by another way.

  Cost: O(lines that are dropped), one in most cases.
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return end
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[2]), -1)
redis.call('HSET', KEYS[1], 'hw:logged', redis.call('LLEN', KEYS[2]))
