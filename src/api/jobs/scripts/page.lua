--[[
  Reads one page of the index, newest first: the sets are merged, a job that is in several of them comes once.

  KEYS[1]  the records (see record.lua); the sets have the same hash tag
  ARGV[1]  newest createdAt to give: a number, "(" and a number for those before it, or "+inf"
  ARGV[2]  oldest createdAt to give: a number, or "-inf"
  ARGV[3]  ids from this one on have been given already, of those with the newest createdAt; "" for none
  ARGV[4]  how many jobs at most
  ARGV[5]  how many steps the merge may take
  ARGV[6]  the names that a job may have, ARGV[7] the tags of which it must have one: JSON arrays, looked at when both are
           asked for
  ARGV[8]  how many of the sets are those of the names
  ARGV[9]  and further: the keys of the sets, first those of the names, then those of the tags. Where there are both, the
           ones with fewer entries are merged, and of each job found there the other is looked up in its record

  Returns {createdAt, id} of the last job that was looked at, both "" when there are no more, and then the ids. When the
  steps are used up the page is short, and the next one goes on behind that job.

  Cost: O(sets * log(jobs)) to find where the page begins, then the steps. A step is an entry taken, a comparison, or a
  part of the look at a job's record. It takes less than a microsecond.
]]
local limit, steps = tonumber(ARGV[4]), tonumber(ARGV[5])
local RECORD_STEPS = 4
-- Of each set so many entries are read first, then twice as many each time, up to LONGEST_READ.
local FIRST_READ, LONGEST_READ = 8, 256

local FIRST = 9
local first, last = FIRST, #ARGV
local namesEnd = FIRST + tonumber(ARGV[8]) - 1
-- Which part of a record remains to be looked at: from, to, and the values that will do.
local checkFrom, checkTo, wanted
if namesEnd >= FIRST and namesEnd < #ARGV then
  local function entries(from, to)
    local sum = 0
    for i = from, to do sum = sum + redis.call('ZCARD', ARGV[i]) end
    return sum
  end
  local values
  if entries(FIRST, namesEnd) <= entries(namesEnd + 1, #ARGV) then
    last, checkFrom, values = namesEnd, 5, ARGV[7]
  else
    first, checkFrom, checkTo, values = namesEnd + 1, 3, 3, ARGV[6]
  end
  wanted = {}
  for _, value in ipairs(cjson.decode(values)) do wanted[value] = true end
end

local function fits(id)
  if not wanted then return true end
  steps = steps - RECORD_STEPS
  local packed = redis.call('HGET', KEYS[1], id)
  local record = packed and cmsgpack.unpack(packed) or {}
  for i = checkFrom, checkTo or #record do
    if wanted[record[i]] then return true end
  end
  return false
end

local oldest = ARGV[2] == '-inf' and -math.huge or tonumber(ARGV[2])

-- As Redis orders members of the same score: by bytes. Lua's own comparison follows the locale of the server.
local function comesBefore(a, b)
  local at = 1
  -- Ids of one queue begin alike.
  while at <= #a and string.sub(a, at, at + 15) == string.sub(b, at, at + 15) do
    at = at + 16
    steps = steps - 2
  end
  for i = at, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- The rank in a set of the first job that is wanted.
local function firstRank(key)
  if ARGV[1] == '+inf' then return 0 end
  if string.sub(ARGV[1], 1, 1) == '(' then return redis.call('ZCOUNT', key, string.sub(ARGV[1], 2), '+inf') end
  local low = redis.call('ZCOUNT', key, '(' .. ARGV[1], '+inf')
  if ARGV[3] == '' then return low end
  local high = low + redis.call('ZCOUNT', key, ARGV[1], ARGV[1])
  while low < high do
    local middle = math.floor((low + high) / 2)
    local id = redis.call('ZREVRANGE', key, middle, middle)[1]
    if id ~= ARGV[3] and comesBefore(ARGV[3], id) then high = middle else low = middle + 1 end
  end
  return low
end

-- A place in one set: what was read of it, and how far that has been used. At its end, id is nil.
local function look(place)
  if place.at > #place.read then
    place.read = redis.call('ZREVRANGE', place.key, place.next, place.next + place.size - 1, 'WITHSCORES')
    place.next = place.next + place.size
    place.size = math.min(place.size * 2, LONGEST_READ)
    place.at = 1
  end
  place.id = place.read[place.at]
  place.createdAt = place.read[place.at + 1]
  place.score = tonumber(place.createdAt)
  if place.id and place.score < oldest then place.id = nil end
end

local function isBefore(a, b)
  steps = steps - 1
  if a.score ~= b.score then return a.score > b.score end
  return a.id ~= b.id and comesBefore(a.id, b.id)
end

-- The places as a heap: the one with the newest job is the first.
local heap = {}
local function sink(i)
  local place = heap[i]
  while true do
    local child = 2 * i
    if child > #heap then break end
    if child < #heap and isBefore(heap[child + 1], heap[child]) then child = child + 1 end
    if not isBefore(heap[child], place) then break end
    heap[i] = heap[child]
    i = child
  end
  heap[i] = place
end
for i = first, last do
  local place = {key = ARGV[i], next = firstRank(ARGV[i]), size = FIRST_READ, read = {}, at = 1}
  look(place)
  if place.id then heap[#heap + 1] = place end
end
for i = math.floor(#heap / 2), 1, -1 do sink(i) end

-- However long it took to find the beginning: each page gets further than the one before.
steps = tonumber(ARGV[5])
local ids, lastId, lastCreatedAt = {}, '', ''
while #heap > 0 do
  local place = heap[1]
  if place.id ~= lastId then
    -- There is more than fits.
    if lastId ~= '' and (#ids == limit or steps <= 0) then return {lastCreatedAt, lastId, unpack(ids)} end
    lastId, lastCreatedAt = place.id, place.createdAt
    if fits(lastId) then ids[#ids + 1] = lastId end
  end
  steps = steps - 1
  place.at = place.at + 2
  look(place)
  if not place.id then
    heap[1] = heap[#heap]
    heap[#heap] = nil
  end
  if #heap > 0 then sink(1) end
end
return {'', '', unpack(ids)}
