--[[
  Notes that BullMQ agrees with a schedule, unless that has changed in the meantime.

  KEYS[1] definitions   KEYS[2] pending: as in save.lua
  ARGV[1] the id        ARGV[2] the version that BullMQ was told

  Returns 1, or 0 when it has changed.

  Cost: O(length of the schedule).
]]
local present = redis.call('HGET', KEYS[1], ARGV[1])
if not present or string.match(present, '^%d+') ~= ARGV[2] then return 0 end
redis.call('SREM', KEYS[2], ARGV[1])
return 1
