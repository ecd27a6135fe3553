--[[
  One process says that it is there and how it is, and all that have been silent for too long are forgotten, with what
  they said they were running.

  KEYS[1]  the processes: a hash, id -> JSON
  KEYS[2]  until when each one counts: a sorted set, ms since 1970 by the clock of this server
  KEYS[3]  there while somebody looks at a dashboard
  KEYS[4]  the slots of the dashboard's channel: a hash, id -> frame
  ARGV[1]  the id of the process
  ARGV[2]  what it says, JSON; "" when it is about to end
  ARGV[3]  it counts for this long, in ms
  ARGV[4]  for how long it shows a dashboard itself, in ms; 0: it does not

  Returns {"1" if a dashboard is open anywhere, else ""}; a process that shows one also gets {id, JSON, id, JSON, ...}.

  Cost: O(processes) for a process that shows a dashboard; else O(log N), and MOST_GONE processes that are forgotten with each call.
]]
local MOST_GONE = 100

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, MOST_GONE)
if ARGV[2] == '' then gone[#gone + 1] = ARGV[1] end
-- Where the channel has many slots or large ones, their order is kept too: see publish.lua.
local order = string.gsub(KEYS[4], ':slots$', ':order')
for _, id in ipairs(gone) do
  redis.call('ZREM', order, id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[4], id)
end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
  for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], tonumber(ARGV[3]) * 10) end
end
local looks = tonumber(ARGV[4]) > 0
if looks then redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[4]) end
local reply = {redis.call('EXISTS', KEYS[3]) == 1 and '1' or ''}
if looks then
  for i, word in ipairs(redis.call('HGETALL', KEYS[1])) do reply[i + 1] = word end
end
return reply
