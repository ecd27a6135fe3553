--[[
  Reads one page of the index, newest first: the sets are merged, a job that is in several of them comes once.

  KEYS[1]  the records (see record.lua); the sets have the same hash tag
  ARGV[1]  newest createdAt to give    ARGV[2] oldest createdAt to give; both as ZRANGEBYSCORE takes them
  ARGV[3]  ids from this one on have been given already, of those with the newest createdAt; "" for none
  ARGV[4]  how many jobs at most
  ARGV[5]  the names that a job may have: a JSON array, or "" when the sets say it
  ARGV[6]  how many jobs may be looked at to find them
  ARGV[7]  and further: the keys of the sets

  Returns {createdAt, id} of the last job that was looked at, both "" when there are no more, and then the ids.
]]
local limit, budget = tonumber(ARGV[4]), tonumber(ARGV[6])
local names
if ARGV[5] ~= '' then
  names = {}
  for _, name in ipairs(cjson.decode(ARGV[5])) do names[name] = true end
end

-- As Redis orders members of the same score: by bytes. Lua's own comparison follows the locale of the server.
local function comesBefore(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- A place in one set: what was read of it, and how far that has been used.
local function refill(place)
  place.at = 1
  place.read = redis.call('ZREVRANGEBYSCORE', place.key, ARGV[1], ARGV[2], 'WITHSCORES', 'LIMIT', place.next, place.size)
  place.next = place.next + place.size
  place.size = math.min(place.size * 2, 1024)
end

local function advance(place)
  place.at = place.at + 2
  if place.at > #place.read and #place.read > 0 then refill(place) end
end

local function id(place) return place.read[place.at] end
local function score(place) return tonumber(place.read[place.at + 1]) end

local newest = tonumber(ARGV[1])
local places = {}
for i = 7, #ARGV do
  local place = {key = ARGV[i], next = 0, size = 32}
  refill(place)
  while ARGV[3] ~= '' and id(place) and score(place) == newest and not comesBefore(ARGV[3], id(place)) do
    advance(place)
  end
  if id(place) then places[#places + 1] = place end
end

local ids, lastId, lastScore = {}, '', ''
while #places > 0 do
  local best
  for _, place in ipairs(places) do
    if not best or score(place) > score(best)
      or (score(place) == score(best) and comesBefore(id(place), id(best))) then
      best = place
    end
  end
  local found = id(best)
  if found ~= lastId then
    -- There is more than fits.
    if #ids == limit or budget == 0 then return {lastScore, lastId, unpack(ids)} end
    budget = budget - 1
    lastId, lastScore = found, best.read[best.at + 1]
    local fits = true
    if names then
      local packed = redis.call('HGET', KEYS[1], found)
      fits = packed and names[cmsgpack.unpack(packed)[3]]
    end
    if fits then ids[#ids + 1] = found end
  end
  advance(best)
  if not id(best) then
    for i, place in ipairs(places) do
      if place == best then
        table.remove(places, i)
        break
      end
    end
  end
end
return {'', '', unpack(ids)}
