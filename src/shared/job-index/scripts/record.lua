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

-- What Headway put into a job's BullMQ options (JSON). Another tool's job has nothing there.
local function settingsOf(opts)
  local ok, decoded = pcall(cjson.decode, opts)
  local settings = ok and type(decoded) == 'table' and decoded.headway
  return type(settings) == 'table' and settings or {}
end

-- For how many ms a finished job is kept: as it says itself, else as its kind does (JSON: name -> ms), else as all.
local function keepOf(settings, name, kinds, default)
  return tonumber(settings.keepMs) or tonumber(cjson.decode(kinds)[name]) or tonumber(default)
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
