--[[
  Removes a finished job that has been kept for long enough, in one step with everything in this slot: BullMQ's keys of
  it (as BullMQ's own removal by age does) and its place in the index. What lies elsewhere is noted for the caller.

  KEYS[1]  the records    KEYS[2] when each finished job has to go    KEYS[3] what is remembered of this job (see track.lua)
  KEYS[4]  what is left to remove: a hash, id -> "<finishedOn> <file id> ..."
  KEYS[5]  the job's hash; the keys behind its name go with it
  KEYS[6]  completed      KEYS[7] failed (sorted sets)
  ARGV[1]  to ARGV[5] as in track.lua
  ARGV[6]  the job's id in BullMQ
  ARGV[7]  now, in ms since 1970
  ARGV[8]  when the job ended, as the caller has read it together with its result
  ARGV[9]  the files that it made, if it completed: "<file id> <file id> ..."

  Returns 1 when the job is gone now, 0 when it has to be kept or has ended again since it was read.

  Cost: O(log N + tags) and that of releaseFiles, see files.lua. Redis frees large keys in another thread (UNLINK).
]]
local id, base = ARGV[1], ARGV[2]
local name, finishedOn, opts, attempt, failedReason, cancel = unpack(redis.call('HMGET', KEYS[5], 'name', 'finishedOn',
  'opts', 'ats', 'failedReason', 'hw:cancel'))
local completed = redis.call('ZSCORE', KEYS[6], ARGV[6])
if not name or not (completed or redis.call('ZSCORE', KEYS[7], ARGV[6])) then
  -- It runs again, or somebody else has removed it.
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
if record then takeOut(base, record, id) end
redis.call('HDEL', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
bury(KEYS[3], ARGV[5], {
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
