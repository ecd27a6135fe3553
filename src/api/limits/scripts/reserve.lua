--[[
  Reserves room for jobs that are about to be queued or retried, if their caller has not reached a limit on unfinished or
  active jobs. What counts is the job index (see record.lua) and, in a set of the caller, the jobs that are not in it yet. Both
  are counted anew each time, so the count is right whatever has become of an earlier job or reservation.

  KEYS[1]  the records: a hash, id -> record
  KEYS[2…] for each reservation, the set of the caller: a sorted set of ids, by the time until which a job counts even if it
           has finished (ms since 1970)
  ARGV[1]  the prefix of the index's sets
  ARGV[2]  how many of the following arguments are of the first reservation. They are:
           1  the digest of the owner, whose jobs in the index count; "" if the jobs in the set count, as for an address
           2  the maximum number of unfinished jobs, 3 that of active jobs; 0 for none
           4  "all" (or none) or "each" (as many as there is room for)
           5  "retry" if the jobs have finished and are queued again, else "start"
           6  counts and states in the other shards (JSON, see other-shards.ts); "" if there are none
           7… for each job its id, and the key of BullMQ's that exists if the job is a duplicate of an unfinished one, or ""
           Then the number of arguments of the next reservation, and so on.

  Returns for each reservation the number of unfinished jobs before it, that of active ones, and for each job a "1" if it may be
  queued else a "0", as one text.

  Cost: O(jobs of the reservations + entries of the sets that are read). Each set is read at most once. That of an address is
  read if it may have reached a limit, and has as many entries as the address may have unfinished jobs; that of an owner has
  the jobs of the last moments.
]]
local LONGEST_READ = 10000
-- How long a job may be in the set and not in the index, in ms: its process has died, or it is a duplicate.
local QUEUED_WITHIN = 30000
-- The longest time between a caller's look at the other shards and this script, in ms.
local SEEN_WITHIN = 5000
-- How long a retried job counts even if the index still says that it has finished, in ms.
local RETRIED_WITHIN = 5000
-- How long the set is kept after the last start, in ms.
local KEPT_FOR_OWNER, KEPT_FOR_ADDRESS = 60000, 7 * 24 * 3600000

local UNFINISHED = {'waiting', 'delayed', 'prioritized', 'waiting-children', 'active'}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Whether a job is in a shard after the first. In front of the dot, "~" and a letter after F mean nothing else.
local function isElsewhere(id) return string.find(id, '^[^.]*~s%d') end

local function stateIn(id, others)
  if others and isElsewhere(id) then return others.states[id] end
  local record = recordIn(redis.call('HGET', KEYS[1], id))
  return record and record[1]
end

-- Counts the jobs of a caller, and removes the entries of its set that no longer count.
local function count(set, owner, others)
  local unfinished, active = 0, 0
  local entries = redis.call('ZRANGE', set, 0, LONGEST_READ - 1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    local id, score = entries[i], tonumber(entries[i + 1])
    local state = stateIn(id, others)
    local counts, stays
    if not state then counts = score + QUEUED_WITHIN > now
    elseif isFinal(state) then counts = score > now
    else
      counts = owner == ''
      -- A caller that has read the other shards earlier does not know that the job is in the index there.
      stays = isElsewhere(id) and score + SEEN_WITHIN > now
    end
    if counts then
      unfinished = unfinished + 1
      if state == 'active' then active = active + 1 end
    elseif not stays then
      redis.call('ZREM', set, id)
    end
  end
  if owner == '' then return unfinished, active end
  if others then
    unfinished = unfinished + others.unfinished
    active = active + others.active
  end
  for _, state in ipairs(UNFINISHED) do
    local size = redis.call('ZCARD', ARGV[1] .. ':' .. owner .. ':' .. state)
    unfinished = unfinished + size
    if state == 'active' then active = active + size end
  end
  return unfinished, active
end

-- The counts of this call: set -> {unfinished, active}.
local counted = {}

-- Returns what the caller has. An address that cannot have reached a limit is not counted: each entry counts as unfinished.
local function countsOf(set, owner, jobs, maxJobs, maxActive, others)
  if counted[set] then return counted[set] end
  if owner == '' then
    local size = redis.call('ZCARD', set)
    if (maxJobs == 0 or size + jobs <= maxJobs) and (maxActive == 0 or size < maxActive) then
      return {size, 0}
    end
  end
  counted[set] = {count(set, owner, others)}
  return counted[set]
end

local function reserve(set, first, last)
  local owner, maxJobs, maxActive = ARGV[first], tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
  local all, retry = ARGV[first + 3] == 'all', ARGV[first + 4] == 'retry'
  local others = ARGV[first + 5] ~= '' and cjson.decode(ARGV[first + 5])
  local counts = countsOf(set, owner, (last - first - 5) / 2, maxJobs, maxActive, others)
  local unfinished, active = counts[1], counts[2]
  local room = maxJobs > 0 and math.max(0, maxJobs - unfinished) or math.huge
  if maxActive > 0 and active >= maxActive then room = 0 end
  local allowed, added = {}, {}
  local needed = 0
  for i = first + 6, last, 2 do
    local id, duplicated = ARGV[i], ARGV[i + 1]
    local state = stateIn(id, others)
    local present = state and not (retry and isFinal(state))
    local isDuplicate = others and isElsewhere(id) and others.duplicates[id]
      or not (others and isElsewhere(id)) and duplicated ~= '' and redis.call('EXISTS', duplicated) == 1
    if present or isDuplicate then
      allowed[#allowed + 1] = '1'
    else
      needed = needed + 1
      local fits = needed <= room
      allowed[#allowed + 1] = fits and '1' or '0'
      if fits then added[#added + 1] = id end
    end
  end
  local answer = {unfinished, active, table.concat(allowed)}
  if all and needed > room then
    answer[3] = string.rep('0', #allowed)
    return answer
  end
  for _, id in ipairs(added) do redis.call('ZADD', set, now + (retry and RETRIED_WITHIN or 0), id) end
  counts[1] = counts[1] + #added
  if #added > 0 then redis.call('PEXPIRE', set, owner == '' and KEPT_FOR_ADDRESS or KEPT_FOR_OWNER) end
  return answer
end

local answers = {}
local at = 2
for i = 2, #KEYS do
  local size = tonumber(ARGV[at])
  answers[i - 1] = reserve(KEYS[i], at + 1, at + size)
  at = at + 1 + size
end
return answers
