--[[
  Reads a job like job.lua (here the function readJob) and updates the index atomically. So the index is never behind a
  reader, whatever the order of the readers.

  KEYS[1]  the records: a hash, id -> record (see record.lua)
  KEYS[2]  the finished jobs by due time: a sorted set of ids, by ms since 1970
  KEYS[3]  the tombstone of this job: a string, JSON
  KEYS[4]  the job's hash
  ARGV[1]  the job's id, as clients know it
  ARGV[2]  the prefix of the index's sets
  ARGV[3]  the default retention time, in ms
  ARGV[4]  the retention times by kind of job: JSON, name -> ms
  ARGV[5]  how long a tombstone is kept, in ms; 0 for none
  ARGV[6]  the last state of a missing job if it is known, else ""
  ARGV[7]  the job's id in BullMQ

  Returns what job.lua returns, packed.

  Cost: that of job.lua, plus O(log N) for each tag, at most MAX_TAGS (record.lua).
]]
local id, base = ARGV[1], ARGV[2]
local reply = readJob({KEYS[4]}, {ARGV[7]})
local known = recordIn(redis.call('HGET', KEYS[1], id))

if not reply then
  if known then
    move(base, known, id, known[1])
    redis.call('HDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
    local ended = ARGV[6] ~= '' and ARGV[6] or 'cancelled'
    writeTombstone(KEYS[3], ARGV[5], {
      state = isFinal(known[1]) and known[1] or ended,
      createdAt = known[2],
      name = known[3],
      owner = known[4] ~= '' and known[4] or nil,
    })
  end
  return false
end

local createdAt = timeIn(reply[FIELD.timestamp])
if known and known[2] ~= createdAt then
  -- A different job under a reused id.
  move(base, known, id, known[1])
  known = nil
end
local state = stateOf(reply[FIELD.state], reply[FIELD.failedReason], reply[FIELD['hw:cancel']] or '')
local opts = reply[FIELD.opts] or ''
local settings
if isFinal(state) then
  settings = settingsOf(opts)
  local keep = keepOf(settings, reply[FIELD.name], ARGV[4], ARGV[3])
  redis.call('ZADD', KEYS[2], timeIn(reply[FIELD.finishedOn]) + keep, id)
elseif known and isFinal(known[1]) then
  redis.call('ZREM', KEYS[2], id)
end
if known and known[1] == state then return packed(reply) end

local record = known
if state == 'completed' then
  if known then releaseFiles(base, KEYS[4]) end
elseif not known or isFinal(known[1]) then
  holdFiles(base, KEYS[4])
end
if not known then
  record = newRecord(state, reply[FIELD.timestamp], reply[FIELD.name], settings or settingsOf(opts))
end
move(base, record, id, known and known[1], state)
record[1] = state
redis.call('HSET', KEYS[1], id, cmsgpack.pack(record))
return packed(reply)
