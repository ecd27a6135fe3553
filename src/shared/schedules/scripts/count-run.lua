--[[
  Counts a run of a schedule, once, however often it is told.

  KEYS[1] definitions: as in save.lua
  KEYS[2] the newest runs of the schedule: a sorted set of the times at which they were due
  KEYS[3] counts: a hash, id -> how many runs there were
  ARGV[1] the id of the schedule   ARGV[2] when the run was due (ms)   ARGV[3] how many of the newest are kept

  Returns 1 when it is new, else 0.

  Cost: O(log of the runs that are kept).
]]
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
local kept = tonumber(ARGV[3])
-- Of one that is older than all that are kept nothing can be said but that it was counted.
if redis.call('ZCARD', KEYS[2]) >= kept then
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if tonumber(ARGV[2]) < tonumber(oldest) then return 0 end
end
if redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[2]) == 0 then return 0 end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -kept - 1)
redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
return 1
