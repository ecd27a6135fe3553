--[[
  Finds where a reader has to begin that wants the log events from a time on.

  KEYS[1]  the channel's log: see publish.lua. The field t of an entry is when it was published, ms since 1970
  ARGV[1]  a time, ms since 1970

  Returns the offset before the first log event of that time or later; the offset of the newest log event when there is
  none; 0 for an empty log. The log is in order of time but for steps of the server's clock.
]]
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not newest then return 0 end
local wanted = tonumber(ARGV[1])

local function offsetOf(entry) return tonumber(string.match(entry[1], '^%d+')) end
local function timeOf(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 't' then return tonumber(entry[2][i + 1]) end
  end
  return 0
end
local function from(offset)
  return redis.call('XRANGE', KEYS[1], string.format('%.0f', offset) .. '-0', '+', 'COUNT', 1)[1]
end

if timeOf(newest) < wanted then return offsetOf(newest) end
-- The first entry of that time or later lies at one of low .. high.
local low, high = offsetOf(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]), offsetOf(newest)
while low < high do
  local middle = math.floor((low + high) / 2)
  local entry = from(middle)
  if timeOf(entry) < wanted then low = offsetOf(entry) + 1 else high = middle end
end
return low - 1
