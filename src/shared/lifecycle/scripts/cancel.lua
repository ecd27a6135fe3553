--[[
  Cancels or expires a BullMQ job. A waiting job is taken out of the queue. A running job is marked, and its worker is
  notified.

  A waiting job is moved to the active list without a lock. The caller then moves it to failed with BullMQ's own script.
  If the caller dies before that, BullMQ finds the job stalled and fails it without running it, because of the field
  "defa" (BullMQ's "deferred failure").

  KEYS[1] the job's hash    KEYS[2] active (list)    KEYS[3] completed   KEYS[4] failed   KEYS[5] delayed
  KEYS[6] prioritized       KEYS[7] waiting-children (sorted sets)       KEYS[8] wait     KEYS[9] paused (lists)
  ARGV[1] the job's id
  ARGV[2] "cancel", or "expire", which only affects a job that has neither started nor ended before
  ARGV[3] the failedReason of the job
  ARGV[4] the Pub/Sub channel for notifying workers
  ARGV[5] the id by which workers know the job
  ARGV[6] the list in which the caller has found the job, "wait" or "paused"; "none" after a search without result; ""
          without a search
  ARGV[7] the position in that list at that time, from 0
  ARGV[8] "PUBLISH" or, if the channel is sharded, "SPUBLISH"

  Writes Headway's fields in the job's hash: "hw:cancel" ("asked"; "told" once the end was published) and "hw:code"
  ("<attempt> <error code>").

  Returns
    missing   there is no such job
    ended     the job has ended
    taken     the job was taken out of the queue; the caller has to fail it
    notified  the worker of the job was notified
    parent    the job waits for its children
    begun     the job has started, so it cannot expire
    far       nothing was done; the caller has to search the lists and call again

  Cost: O(log N), except for two lists.
  - The active list is searched only for a job that has started or was taken before: O(active jobs).
  - The wait list has no index, and LREM scans it from one end (40 ms for 1,000,000 entries). Therefore both ends are
    searched first, NEAR entries each. Anywhere else the position is found by time: the list is in order of arrival, and
    jobs have a creation time. For a job that is not at that position, because it was delayed or retried, the caller
    searches the list in steps, unless the list has at most FAR entries. With a known position, LREM starts at the nearer
    end. If the position is more than FAR entries away from it (2 ms), the newest job takes the position of this one
    instead, which delays no other job.
]]
local NEAR, FAR = 1000, 50000
-- The number of entries to search around a position. It allows for jobs of the same millisecond, differing clocks, and
-- jobs that were added or removed since.
local BEFORE, BEHIND = 300, 1200
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 'missing' end
local job = redis.call('HMGET', KEYS[1], 'name', 'ats', 'hw:cancel', 'hw:code', 'processedOn', 'defa', 'timestamp')
if not job[1] then return 'missing' end
if redis.call('ZSCORE', KEYS[3], ARGV[1]) or redis.call('ZSCORE', KEYS[4], ARGV[1]) then return 'ended' end
local cancel = ARGV[2] == 'cancel'
-- A job that has ended before (hw:cancel or hw:code is set) was retried. It must run, however late it is.
if not cancel and (tonumber(job[2] or '0') > 0 or job[3] or job[4]) then return 'begun' end

if redis.call('EXISTS', KEYS[1] .. ':lock') == 1
  or ((job[5] or job[6]) and redis.call('LPOS', KEYS[2], ARGV[1])) then
  if not cancel then return 'begun' end
  -- Another caller took the job out of the queue and died before failing it. This caller fails it.
  if job[6] == ARGV[3] and redis.call('EXISTS', KEYS[1] .. ':lock') == 0 then
    return 'taken'
  end
  redis.call('HSET', KEYS[1], 'hw:cancel', 'asked')
  redis.call(ARGV[8], ARGV[4], 'cancel ' .. ARGV[5])
  return 'notified'
end
if redis.call('ZSCORE', KEYS[7], ARGV[1]) then return 'parent' end

-- Returns the position of this job by its creation time, or nil. The newest jobs come first.
local jobPrefix = string.sub(KEYS[1], 1, -#ARGV[1] - 1)
local function placeByTime(list, length)
  local madeAt = tonumber(job[7])
  if not madeAt then return nil end
  local low, high = 0, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = tonumber(redis.call('HGET', jobPrefix .. redis.call('LINDEX', list, middle), 'timestamp') or '')
    if at and at <= madeAt then high = middle else low = middle + 1 end
  end
  return low
end

-- Returns the position of this job if it is close to a given one, or nil.
local function placeNear(list, place)
  if not place then return nil end
  local from = math.max(0, place - BEFORE)
  for i, id in ipairs(redis.call('LRANGE', list, from, place + BEHIND)) do
    if id == ARGV[1] then return from + i - 1 end
  end
  return nil
end

local isFar = false
local function takeFrom(list, name)
  local length = redis.call('LLEN', list)
  if length == 0 then return 0 end
  if redis.call('LPOS', list, ARGV[1], 'MAXLEN', NEAR) then return redis.call('LREM', list, 1, ARGV[1]) end
  if length <= NEAR then return 0 end
  if redis.call('LPOS', list, ARGV[1], 'RANK', -1, 'MAXLEN', NEAR) then return redis.call('LREM', list, -1, ARGV[1]) end
  if length <= 2 * NEAR then return 0 end
  local place = ARGV[6] == name and placeNear(list, tonumber(ARGV[7])) or placeNear(list, placeByTime(list, length))
  if not place and length > FAR then
    if ARGV[6] ~= 'none' then isFar = true end
    return 0
  end
  if not place or math.min(place, length - place) <= FAR then
    return redis.call('LREM', list, place and place < length / 2 and 1 or -1, ARGV[1])
  end
  -- LPOP shifts the positions by one.
  redis.call('LSET', list, place - 1, redis.call('LPOP', list))
  return 1
end

if redis.call('ZREM', KEYS[5], ARGV[1]) + redis.call('ZREM', KEYS[6], ARGV[1]) == 0
  and takeFrom(KEYS[8], 'wait') + takeFrom(KEYS[9], 'paused') == 0 then
  return isFar and 'far' or 'missing'
end
-- BullMQ's script searches the list from this end.
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'defa', ARGV[3])
if cancel then
  redis.call('HSET', KEYS[1], 'hw:cancel', 'asked')
else
  redis.call('HSET', KEYS[1], 'hw:code', (job[2] or '0') .. ' expired')
end
return 'taken'
