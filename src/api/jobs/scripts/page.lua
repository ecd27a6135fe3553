--[[
  Reads one page of the index, newest job first. Merges the sets; a job that is in several sets is returned once.

  KEYS[1]  the records (see record.lua); the sets have the same hash tag
  ARGV[1]  newest createdAt to return: a number, "(" and a number to exclude it, or "+inf"
  ARGV[2]  oldest createdAt to return: a number, or "-inf"
  ARGV[3]  the last id that the previous page examined, if it has the newest createdAt; else ""
  ARGV[4]  maximum number of jobs
  ARGV[5]  maximum number of steps of the merge
  ARGV[6]  the names of which a job must have one, ARGV[7] the tags of which it must have one: JSON arrays, used only if both
           are given
  ARGV[8]  number of sets by name
  ARGV[9]  and further: the keys of the sets, first those by name, then those by tag. If there are both, the group with
           fewer entries is merged, and the other condition is checked in the record of each job

  Returns {createdAt, id} of the last examined job, both "" when there are no more jobs, and then the id and createdAt of each
  job. When the steps are used up, the page is short, and the next page continues after that job.

  Cost: O(sets * log(jobs)) to find where the page begins, then the steps. A step is reading an entry, comparing two
  entries, or a part of checking a job's record. It takes less than a microsecond.
]]
local limit, steps = tonumber(ARGV[4]), tonumber(ARGV[5])
local RECORD_STEPS = 4
-- The number of entries in the first read of a set. Each further read is twice as long, up to LONGEST_READ.
local FIRST_READ, LONGEST_READ = 8, 256

local FIRST = 9
local first, last = FIRST, #ARGV
local namesEnd = FIRST + tonumber(ARGV[8]) - 1
-- The part of a record to check: its first and last index, and the accepted values.
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

-- Compares ids by bytes, as Redis orders members of the same score. Lua's own comparison depends on the server's locale.
local function comesBefore(a, b)
  local at = 1
  -- Ids of one queue have the same beginning.
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

-- Returns the rank of the first job of the page in a set.
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

-- Loads the entry at a cursor of a set, reading more entries if needed. At the end of the set, id is nil.
local function loadEntry(cursor)
  if cursor.at > #cursor.read then
    cursor.read = redis.call('ZREVRANGE', cursor.key, cursor.next, cursor.next + cursor.size - 1, 'WITHSCORES')
    cursor.next = cursor.next + cursor.size
    cursor.size = math.min(cursor.size * 2, LONGEST_READ)
    cursor.at = 1
  end
  cursor.id = cursor.read[cursor.at]
  cursor.createdAt = cursor.read[cursor.at + 1]
  cursor.score = tonumber(cursor.createdAt)
  if cursor.id and cursor.score < oldest then cursor.id = nil end
end

local function isBefore(a, b)
  steps = steps - 1
  if a.score ~= b.score then return a.score > b.score end
  return a.id ~= b.id and comesBefore(a.id, b.id)
end

-- A heap of cursors: the one at the newest job comes first.
local heap = {}
local function sink(i)
  local cursor = heap[i]
  while true do
    local child = 2 * i
    if child > #heap then break end
    if child < #heap and isBefore(heap[child + 1], heap[child]) then child = child + 1 end
    if not isBefore(heap[child], cursor) then break end
    heap[i] = heap[child]
    i = child
  end
  heap[i] = cursor
end
for i = first, last do
  local cursor = {key = ARGV[i], next = firstRank(ARGV[i]), size = FIRST_READ, read = {}, at = 1}
  loadEntry(cursor)
  if cursor.id then heap[#heap + 1] = cursor end
end
for i = math.floor(#heap / 2), 1, -1 do sink(i) end

-- The steps that found the beginning do not count, so each page gets further than the one before.
steps = tonumber(ARGV[5])
-- The ids and createdAt of the jobs, alternately.
local found, lastId, lastCreatedAt = {}, '', ''
while #heap > 0 do
  local cursor = heap[1]
  if cursor.id ~= lastId then
    -- There are more jobs than fit into the page.
    if lastId ~= '' and (#found == 2 * limit or steps <= 0) then return {lastCreatedAt, lastId, unpack(found)} end
    lastId, lastCreatedAt = cursor.id, cursor.createdAt
    if fits(lastId) then
      found[#found + 1] = lastId
      found[#found + 1] = lastCreatedAt
    end
  end
  steps = steps - 1
  cursor.at = cursor.at + 2
  loadEntry(cursor)
  if not cursor.id then
    heap[1] = heap[#heap]
    heap[#heap] = nil
  end
  if #heap > 0 then sink(1) end
end
return {'', '', unpack(found)}
