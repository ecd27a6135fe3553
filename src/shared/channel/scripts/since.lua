--[[
  Finds the offset before the first log event with at least a given time or number.

  KEYS[1]  the channel's log: see publish.lua
  ARGV[1]  the field to compare: t (time) or n (number). Both increase along the log, unless the server's clock is set back
  ARGV[2]  the minimum value

  Returns the offset before the first log event with that value or more; the offset of the newest log event if there is none;
  0 for an empty log. An entry without the field counts as older than all others.

  Cost: O(log N) reads of one entry each.
]]
local field, wanted = ARGV[1], tonumber(ARGV[2])
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not newest then return 0 end

local function offsetOf(entry) return tonumber(string.match(entry[1], '^%d+')) end
local function valueOf(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == field then return tonumber(entry[2][i + 1]) end
  end
  return 0
end
local function from(offset)
  return redis.call('XRANGE', KEYS[1], string.format('%.0f', offset) .. '-0', '+', 'COUNT', 1)[1]
end

if valueOf(newest) < wanted then return offsetOf(newest) end
-- The first matching entry is at one of the offsets low .. high.
local low, high = offsetOf(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]), offsetOf(newest)
while low < high do
  local middle = math.floor((low + high) / 2)
  local entry = from(middle)
  if valueOf(entry) < wanted then low = offsetOf(entry) + 1 else high = middle end
end
return low - 1
