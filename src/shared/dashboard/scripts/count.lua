--[[
  Adds to the counters of one minute.

  KEYS[1]  the minute: a hash, counter -> number
  ARGV[1]  ms after which it is forgotten
  ARGV[2]  and further: counter, how much to add, counter, how much to add, ...

  Cost: O(counters given). A minute has MOST counters: kinds that come later are counted together, as OTHERS. Other tools
  may name each job differently.
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
