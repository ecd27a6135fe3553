--[[
  Stores the heartbeat of a process, and removes processes whose heartbeat has expired, with their running jobs.

  KEYS[1]  the processes: a hash, id -> JSON
  KEYS[2]  the expiry of each heartbeat: a sorted set, ms since 1970 by the clock of this server
  KEYS[3]  exists while a dashboard is open
  KEYS[4]  the slots of the dashboard's channel: a hash, id -> frame
  ARGV[1]  the id of the process
  ARGV[2]  the heartbeat, JSON; "" when the process ends
  ARGV[3]  the lifetime of the heartbeat, in ms
  ARGV[4]  how long the process shows a dashboard, in ms; 0 if it does not

  Returns {"1" if a dashboard is open anywhere, else ""}, followed by id, JSON, id, JSON, ... for a process that shows one.

  Cost: O(processes) for a process that shows a dashboard; else O(log N). A call removes at most MOST_EXPIRED processes.
]]
local MOST_EXPIRED = 100

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, MOST_EXPIRED)
if ARGV[2] == '' then expired[#expired + 1] = ARGV[1] end
-- The key with the order of the slots. It exists if the channel has many slots or large ones: see publish.lua.
local order = string.gsub(KEYS[4], ':slots$', ':order')
for _, id in ipairs(expired) do
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
local watches = tonumber(ARGV[4]) > 0
if watches then redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[4]) end
local reply = {redis.call('EXISTS', KEYS[3]) == 1 and '1' or ''}
if watches then
  for i, entry in ipairs(redis.call('HGETALL', KEYS[1])) do reply[i + 1] = entry end
end
return reply
