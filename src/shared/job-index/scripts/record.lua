--[[
  Functions that scripts of the index share, prepended to each of them (see scripts.ts).

  A record contains what the index knows of a job without BullMQ: msgpack of {state, createdAt, name, owner or "", tag,
  ...}. A job is in several sorted sets by createdAt: for all owners and for its owner, each without a facet, by name, and
  by tag (see MAX_TAGS). Each set contains jobs in one state, so a job moves when its state changes.
]]

-- Moves a job from its sets in one state to those in another. Without a state to move from it is added, without one to move
-- to it is removed.
local function move(base, record, id, from, to)
  local scopes, facets = {base .. ':all:'}, {'', ':name:' .. record[3]}
  if record[4] ~= '' then scopes[2] = base .. ':' .. redis.sha1hex(record[4]) .. ':' end
  for i = 5, #record do facets[i - 2] = ':tag:' .. record[i] end
  -- Redis converts numbers to text for each call.
  local createdAt = string.format('%.17g', record[2])
  for _, scope in ipairs(scopes) do
    for _, facet in ipairs(facets) do
      if from then redis.call('ZREM', scope .. from .. facet, id) end
      if to then redis.call('ZADD', scope .. to .. facet, createdAt, id) end
    end
  end
end

-- Parses a number within bounds, else nil. Lua also parses "nan" and "inf", which are not valid scores.
local function numberIn(value, min, max)
  local number = tonumber(value)
  if number and number >= min and number <= max then return number end
end

-- Parses a time, ms since 1970; 0 for anything else.
local function timeIn(text) return numberIn(text, 0, 8.64e15) or 0 end

local MAX_TAGS = 20
-- Longer options are ignored. Headway writes a few hundred bytes.
local LONGEST_OPTS = 262144
local KEEP_MIN, KEEP_MAX = 1000, 365 * 24 * 3600000

-- Parses Headway's settings in a job's BullMQ options (JSON). Another tool may have written anything there: a value that is
-- not a valid setting counts as absent, as in jobs/settings.ts.
local function settingsOf(opts)
  local ok, decoded = pcall(cjson.decode, #opts <= LONGEST_OPTS and opts or '')
  local given = ok and type(decoded) == 'table' and decoded.headway
  local settings = {tags = {}}
  if type(given) ~= 'table' then return settings end
  if type(given.owner) == 'string' then settings.owner = given.owner end
  if type(given.keepMs) == 'number' then settings.keepMs = numberIn(given.keepMs, KEEP_MIN, KEEP_MAX) end
  for _, tag in ipairs(type(given.tags) == 'table' and given.tags or {}) do
    if #settings.tags == MAX_TAGS then break end
    if type(tag) == 'string' and #tag <= 60 and string.find(tag, '^[%w_.:@/-]+$') then
      settings.tags[#settings.tags + 1] = tag
    end
  end
  return settings
end

-- Returns the retention time in ms: the job's setting, else that of its kind (JSON: name -> ms), else the default.
local function keepOf(settings, name, kinds, default)
  return settings.keepMs or tonumber(cjson.decode(kinds)[name]) or tonumber(default)
end

-- Unpacks a record; nil for anything else.
local function recordIn(packed)
  local ok, record = pcall(cmsgpack.unpack, packed or '')
  if ok and type(record) == 'table' and type(record[2]) == 'number' and record[4] then return record end
end

local function isFinal(state) return state == 'completed' or state == 'failed' or state == 'cancelled' end

-- In BullMQ, a cancelled job is a failed one.
local function stateOf(state, failedReason, cancel)
  if state == 'failed' and cancel ~= '' and failedReason == 'cancelled' then return 'cancelled' end
  return state
end

-- Stores the tombstone of a removed job, for ttl ms.
local function writeTombstone(key, ttl, what)
  if tonumber(ttl) > 0 then redis.call('SET', key, cjson.encode(what), 'PX', ttl) end
end

-- Returns the record of a job. createdAt is a text, settings is what settingsOf returns.
local function newRecord(state, createdAt, name, settings)
  return {state, timeIn(createdAt), name, settings.owner or '', unpack(settings.tags)}
end
