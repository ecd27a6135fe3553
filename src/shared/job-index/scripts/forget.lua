--[[
  Removes a finished job whose retention time is over, with everything of it in this slot: BullMQ's keys (as in BullMQ's
  own removal by age) and its entry in the index. What is elsewhere is recorded as leftovers for the caller.

  KEYS[1]  the records    KEYS[2] the finished jobs by due time    KEYS[3] the tombstone of this job (see track.lua)
  KEYS[4]  the leftovers: a hash, id -> "<finishedOn> <file id> ..."
  KEYS[5]  the job's hash; the keys that start with its name are removed as well
  KEYS[6]  completed      KEYS[7] failed (sorted sets)
  ARGV[1]  to ARGV[5] as in track.lua
  ARGV[6]  the job's id in BullMQ
  ARGV[7]  now, in ms since 1970
  ARGV[8]  the time of the job's end, as read by the caller together with its result
  ARGV[9]  the files that the job created, if it completed: "<file id> <file id> ..."

  Returns 1 if the job was removed, 0 if it must be kept or has ended again since it was read.

  Cost: O(log N + tags), plus the cost of releaseFiles in files.lua. UNLINK frees large keys in another thread.
]]
local id, base = ARGV[1], ARGV[2]
local name, finishedOn, opts, attempt, failedReason, cancel = unpack(redis.call('HMGET', KEYS[5], 'name', 'finishedOn',
  'opts', 'ats', 'failedReason', 'hw:cancel'))
local completed = redis.call('ZSCORE', KEYS[6], ARGV[6])
if not name or not (completed or redis.call('ZSCORE', KEYS[7], ARGV[6])) then
  -- The job runs again or was removed by another program.
  redis.call('ZREM', KEYS[2], id)
  return 0
end
local settings = settingsOf(opts or '')
local due = timeIn(finishedOn) + keepOf(settings, name, ARGV[4], ARGV[3])
if due > tonumber(ARGV[7]) then
  redis.call('ZADD', KEYS[2], due, id)
  return 0
end

if (finishedOn or '') ~= ARGV[8] then return 0 end

local record = recordIn(redis.call('HGET', KEYS[1], id))
if record then move(base, record, id, record[1]) end
redis.call('HDEL', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
writeTombstone(KEYS[3], ARGV[5], {
  state = stateOf(completed and 'completed' or 'failed', failedReason, cancel or ''),
  createdAt = timeIn(redis.call('HGET', KEYS[5], 'timestamp')),
  name = name,
  finishedAt = timeIn(finishedOn),
  attempt = timeIn(attempt),
  owner = settings.owner,
})

local left = finishedOn or '0'
if completed and ARGV[9] ~= '' then left = left .. ' ' .. ARGV[9] end
redis.call('HSET', KEYS[4], id, left)

releaseFiles(base, KEYS[5])
redis.call('ZREM', completed and KEYS[6] or KEYS[7], ARGV[6])
local job = KEYS[5]
redis.call('UNLINK', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
return 1
