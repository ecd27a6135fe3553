--[[
  Adds to the counters of one minute.

  KEYS[1]  the minute: a hash, counter -> number
  ARGV[1]  ms after which it is forgotten
  ARGV[2]  and further: counter, how much to add, counter, how much to add, ...
]]
for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
