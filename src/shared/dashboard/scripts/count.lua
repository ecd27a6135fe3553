--[[
  Adds to the counters of one minute.

  KEYS[1]  the minute: a hash, counter -> number
  ARGV[1]  the lifetime of the minute, in ms
  ARGV[2]  and following: counter, increment, counter, increment, ...

  Cost: O(given counters). A minute has at most MOST counters. Further kinds of job are counted together as OTHERS, because
  other tools may give each job a different name.
]]
local MOST, OTHERS = 2000, 'others'
local room = MOST - redis.call('HLEN', KEYS[1])

for i = 2, #ARGV, 2 do
  local counter = ARGV[i]
  if room <= 0 and redis.call('HEXISTS', KEYS[1], counter) == 0 then
    counter = string.match(counter, '^[^:]*:') .. OTHERS
  end
  if redis.call('HINCRBY', KEYS[1], counter, ARGV[i + 1]) == tonumber(ARGV[i + 1]) then room = room - 1 end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
