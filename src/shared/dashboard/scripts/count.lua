--[[
  Adds to the counters of minutes.

  KEYS     the minutes: hashes, counter -> number
  ARGV[1]  to ARGV[#KEYS]: the lifetime of each minute, in ms
  ARGV[#KEYS + 1]  and following: for each counter the position of its minute in KEYS, its name, and its increment

  Cost: O(given counters). A minute has at most MOST counters. Further kinds of job are counted together as OTHERS, because
  other tools may give each job a different name.
]]
local MOST, OTHERS = 2000, 'others'
local room = {}

-- Another tool may have replaced a minute or a counter. That must not fail the call, because the caller would repeat it and
-- count the other minutes twice.
local function attempt(...)
  local result = redis.pcall(...)
  if type(result) ~= 'table' then return result end
  if string.find(result.err, 'WRONGTYPE') or string.find(result.err, 'not an integer') then return nil end
  error(result.err)
end

for i, key in ipairs(KEYS) do
  local size = attempt('HLEN', key)
  room[i] = size and MOST - size
end

for i = #KEYS + 1, #ARGV, 3 do
  local minute, counter, count = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local key = KEYS[minute]
  if room[minute] then
    if room[minute] <= 0 and redis.call('HEXISTS', key, counter) == 0 then
      counter = string.match(counter, '^[^:]*:') .. OTHERS
    end
    if attempt('HINCRBY', key, counter, count) == tonumber(count) then room[minute] = room[minute] - 1 end
  end
end
for i, key in ipairs(KEYS) do
  if room[i] then redis.call('PEXPIRE', key, ARGV[i]) end
end
