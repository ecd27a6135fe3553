--[[
  Records the format of the data in Redis, unless a newer one is recorded.

  KEYS[1]  the format: a string, a number
  ARGV[1]  the newest format that the caller knows
  ARGV[2]  the oldest format that the caller reads

  Returns the recorded format before the call; false if there was none. A format that the caller cannot use stays as it is.

  Cost: O(1).
]]
local stored = redis.call('GET', KEYS[1])
local number = tonumber(stored or '0')
local own = tonumber(ARGV[1])
if not stored or (number and number < own and number >= tonumber(ARGV[2])) then
  redis.call('SET', KEYS[1], ARGV[1])
end
return stored
