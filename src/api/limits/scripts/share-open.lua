--[[
  Publishes how many streams and uploads the callers of one process have open, and returns what the other processes have
  published. The entry of a process that stops publishing expires.

  KEYS[1]  a hash: process -> "<time at which the entry expires, ms since 1970> <JSON: what is counted -> number>"
  ARGV[1]  the process
  ARGV[2]  its counts, JSON; "" removes the process
  ARGV[3]  how long the entry is valid, in ms

  Returns the JSON of each other process.

  Cost: O(processes and the size of their entries), once a second for each API process.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return {}
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', now + ARGV[3]) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local entries, others = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #entries, 2 do
  local expires, counts = string.match(entries[i + 1], '^(%d+) (.*)$')
  if not expires or tonumber(expires) < now then
    redis.call('HDEL', KEYS[1], entries[i])
  elseif entries[i] ~= ARGV[1] then
    others[#others + 1] = counts
  end
end
return others
