--[[
  Functions that the scripts of the index share; put before each of them (see lua.ts).

  A record says of a job what the index has to know without BullMQ: msgpack of {state, createdAt, name, owner or "",
  tag, ...}. A job is in one sorted set, by createdAt, for each of: everybody and its owner, times everything, its name
  and each of its tags (see MOST_TAGS in track.lua). Each of these is of one state, so that a job moves when its state changes.
]]

-- Calls visit with the key of each set that a job of this record is in while it has the state.
local function eachSet(base, record, state, visit)
  local scopes = {base .. ':all:' .. state}
  if record[4] ~= '' then scopes[2] = base .. ':' .. redis.sha1hex(record[4]) .. ':' .. state end
  for _, scope in ipairs(scopes) do
    visit(scope)
    visit(scope .. ':name:' .. record[3])
    for i = 5, #record do visit(scope .. ':tag:' .. record[i]) end
  end
end

local function takeOut(base, record, id)
  eachSet(base, record, record[1], function(key) redis.call('ZREM', key, id) end)
end

local function putIn(base, record, id)
  eachSet(base, record, record[1], function(key) redis.call('ZADD', key, record[2], id) end)
end

-- A number that a sorted set can take as a score, else nil: Lua reads "nan" and "inf" as numbers too.
local function numberIn(value, min, max)
  local number = tonumber(value)
  if number and number >= min and number <= max then return number end
end

-- A time, ms since 1970, or 0 for what is none.
local function timeIn(text) return numberIn(text, 0, 8.64e15) or 0 end

local MAX_TAGS = 20
-- Longer options are not looked at: Headway writes a few hundred bytes.
local LONGEST_OPTS = 262144
local KEEP_MIN, KEEP_MAX = 1000, 365 * 24 * 3600000

-- What Headway put into a job's BullMQ options (JSON). Another tool's job has nothing there, or anything: what does not
-- have the form of a setting counts as not given, as in job-settings.ts.
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

-- For how many ms a finished job is kept: as it says itself, else as its kind does (JSON: name -> ms), else as all.
local function keepOf(settings, name, kinds, default)
  return settings.keepMs or tonumber(cjson.decode(kinds)[name]) or tonumber(default)
end

-- A record as it was packed; nil where there is none, or another program wrote something else.
local function recordIn(packed)
  local ok, record = pcall(cmsgpack.unpack, packed or '')
  if ok and type(record) == 'table' and type(record[2]) == 'number' and record[4] then return record end
end

local function isFinal(state) return state == 'completed' or state == 'failed' or state == 'cancelled' end

-- BullMQ knows no cancelled jobs: to it they have failed.
local function stateOf(state, failedReason, cancel)
  if state == 'failed' and cancel ~= '' and failedReason == 'cancelled' then return 'cancelled' end
  return state
end

-- Leaves word of a job that is not kept any more, for ttl ms.
local function bury(key, ttl, what)
  if tonumber(ttl) > 0 then redis.call('SET', key, cjson.encode(what), 'PX', ttl) end
end
