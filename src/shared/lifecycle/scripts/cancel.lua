--[[
  Withdraws a BullMQ job: one that waits is taken out of the queue, one that runs is marked and its worker told.

  A job that is taken lands in the active list without a lock, for the caller to move on to failed with BullMQ's own
  script. Should the caller die before that, the job is found stalled and fails without being run: "defa" is BullMQ's
  word for that.

  KEYS[1] the job's hash    KEYS[2] active (list)    KEYS[3] completed   KEYS[4] failed   KEYS[5] delayed
  KEYS[6] prioritized       KEYS[7] waiting-children (sorted sets)       KEYS[8] wait     KEYS[9] paused (lists)
  ARGV[1] the job's id
  ARGV[2] "cancel", or "expire": then only a job that has never begun, nor come to an end, is withdrawn
  ARGV[3] what failedReason is going to be
  ARGV[4] the Pub/Sub channel on which workers are told
  ARGV[5] the id by which they know the job
  ARGV[6] where the caller has found the job among those that wait: "wait" or "paused"; "none" when it was looked for and
          not found; "" when it was not looked for
  ARGV[7] its place in that list, from 0, as it was then

  Fields of the job's hash that are ours: "hw:cancel" ("asked", later "told") and "hw:code" ("<attempt> <error code>").

  Returns "missing", "ended", "taken" (the caller has to fail it), "told" (its worker has been told), "parent" (it waits
  for its children), "begun" (too late to expire) or "far" (nothing was done: the caller has to look for it in the lists).

Cost: O(log N) but for two lists. The active list is searched only for a job that was begun or taken before: O(jobs that
run). The wait list has no index, and LREM looks at each entry from one end (1,000,000 entries: 40 ms). So both ends are
searched first, NEAR entries of each. Elsewhere the place is found by time: the list is in order of arrival, and jobs
know when they were made. A job that is not where its time says (it was delayed or retried) is looked for by the caller,
a part of the list at a time, unless the list has no more than FAR entries. With the place known, LREM begins at the
nearer end. Where that is still further than FAR entries (2 ms), the newest job gets the place of this one instead: no
other job's turn comes later for it.
]]
local NEAR, FAR = 1000, 50000
-- The entries that are looked at around a place: jobs of the same moment, clocks that differ, others that came or went since.
local BEFORE, BEHIND = 300, 1200
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 'missing' end
local job = redis.call('HMGET', KEYS[1], 'name', 'ats', 'hw:cancel', 'hw:code', 'processedOn', 'defa', 'timestamp')
if not job[1] then return 'missing' end
if redis.call('ZSCORE', KEYS[3], ARGV[1]) or redis.call('ZSCORE', KEYS[4], ARGV[1]) then return 'ended' end
local cancel = ARGV[2] == 'cancel'
-- One that came to its end before (it has a mark of that) and was put back is to run, however late it is.
if not cancel and (tonumber(job[2] or '0') > 0 or job[3] or job[4]) then return 'begun' end

if redis.call('EXISTS', KEYS[1] .. ':lock') == 1
  or ((job[5] or job[6]) and redis.call('LPOS', KEYS[2], ARGV[1])) then
  if not cancel then return 'begun' end
  -- Taken by somebody who did not come to fail it: whoever asks again does.
  if job[6] == ARGV[3] and redis.call('EXISTS', KEYS[1] .. ':lock') == 0 then
    return 'taken'
  end
  redis.call('HSET', KEYS[1], 'hw:cancel', 'asked')
  redis.call('PUBLISH', ARGV[4], 'cancel ' .. ARGV[5])
  return 'told'
end
if redis.call('ZSCORE', KEYS[7], ARGV[1]) then return 'parent' end

-- Where this job would be in a list of this length, by time, or nothing. The newest jobs come first.
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

-- The place of this job close to another, or nothing.
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
  -- Without its first entry the list has this place one further to the front.
  redis.call('LSET', list, place - 1, redis.call('LPOP', list))
  return 1
end

if redis.call('ZREM', KEYS[5], ARGV[1]) + redis.call('ZREM', KEYS[6], ARGV[1]) == 0
  and takeFrom(KEYS[8], 'wait') + takeFrom(KEYS[9], 'paused') == 0 then
  return isFar and 'far' or 'missing'
end
-- BullMQ's own script looks for it from this end.
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'defa', ARGV[3])
if cancel then
  redis.call('HSET', KEYS[1], 'hw:cancel', 'asked')
else
  redis.call('HSET', KEYS[1], 'hw:code', (job[2] or '0') .. ' expired')
end
return 'taken'
