--[[
  Counts a run of a schedule. Idempotent.

  KEYS[1] definitions: as in save.lua
  KEYS[2] the newest runs of the schedule: a sorted set of their due times
  KEYS[3] counts: a hash, id -> number of runs
  ARGV[1] the id of the schedule   ARGV[2] the due time of the run (ms)   ARGV[3] the number of runs to keep

  Returns 1 if the run was not counted before, else 0.

  Cost: O(log kept runs).
]]
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
local kept = tonumber(ARGV[3])
-- A run that is older than all kept runs was counted earlier.
if redis.call('ZCARD', KEYS[2]) >= kept then
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if tonumber(ARGV[2]) < tonumber(oldest) then return 0 end
end
if redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[2]) == 0 then return 0 end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -kept - 1)
redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
return 1
