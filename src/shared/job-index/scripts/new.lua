--[[
  Adds jobs to the index that were just queued. Reading one with track.lua costs three times as much. A job that is
  indexed already, because a worker was faster, or that is not in BullMQ, is left as it is.

  KEYS[1]  the records: a hash, id -> record (see record.lua)
  KEYS[2…] the jobs' hashes
  ARGV[1]  the prefix of the index's sets
  ARGV[2…] the jobs' ids, as clients know them, in the order of their hashes

  Returns the state of each job that was added, "" for the others.

  Cost: O(log N) for each job and each of its tags.
]]
local base = ARGV[1]
local states = {}
for i = 2, #KEYS do
  local id, key, state = ARGV[i], KEYS[i], ''
  -- pcall: another tool may have replaced a job's hash, which must not fail the call for the other jobs.
  local name, createdAt, delay, priority, opts =
    unpack(redis.pcall('HMGET', key, 'name', 'timestamp', 'delay', 'priority', 'opts'))
  if name and createdAt and redis.call('HEXISTS', KEYS[1], id) == 0 then
    state = 'waiting'
    if (tonumber(delay) or 0) > 0 then state = 'delayed'
    elseif (tonumber(priority) or 0) > 0 then state = 'prioritized' end
    local record = newRecord(state, createdAt, name, settingsOf(opts or ''))
    holdFiles(base, key)
    move(base, record, id, nil, state)
    redis.call('HSET', KEYS[1], id, cmsgpack.pack(record))
  end
  states[i - 1] = state
end
return states
