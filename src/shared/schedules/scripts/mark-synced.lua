--[[
  Marks a schedule as synced with BullMQ, unless it has changed meanwhile.

  KEYS[1] definitions   KEYS[2] pending: as in save.lua
  ARGV[1] the id        ARGV[2] the version that was synced

  Returns 1, or 0 if the schedule has changed.

  Cost: O(length of the schedule).
]]
local present = redis.call('HGET', KEYS[1], ARGV[1])
if not present or string.match(present, '^%d+') ~= ARGV[2] then return 0 end
redis.call('SREM', KEYS[2], ARGV[1])
return 1
