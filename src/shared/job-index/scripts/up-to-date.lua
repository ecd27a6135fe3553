--[[
  Finds those of several jobs that wait for their first run, run, or have completed, and that a reconciliation would not
  change: the channel has published this state, the index has it, and there is no cancel request, no line in BullMQ's log from
  a worker that knows only BullMQ, and after the end no child to cancel. Uses functions of record.lua. Not for a Cluster,
  because each channel is in another slot.

  KEYS[1]  the records    KEYS[2] completed    KEYS[3] failed    KEYS[4] delayed    KEYS[5] prioritized
  KEYS[6]  waiting-children (sorted sets)      KEYS[7] the queue's meta (hash)
  KEYS[8]  and following: for each job its hash and its channel
  ARGV     for each job its id as clients know it and its id in BullMQ

  Returns for each job its owner or "", or false if it is not such a job.

  Cost: O(log N) for each job.
]]
local function isIn(set, id) return redis.call('ZSCORE', KEYS[set], id) end

local function ownerIfUpToDate(key, channelKey, id, bullmqId)
  local record = recordIn(redis.call('HGET', KEYS[1], id))
  local job = redis.call('HMGET', key, 'timestamp', 'ats', 'hw:cancel', 'hw:logged', 'processedOn', 'defa')
  local channel = redis.call('HMGET', channelKey, 'attempt', 'rank', 'end', 'paused')
  if not record or record[2] ~= timeIn(job[1]) or job[3] == 'asked' then return false end
  local attempt, published, rank, ended, paused = timeIn(job[2]), tonumber(channel[1]), unpack(channel, 2)
  if not published then return false end

  -- What is compared here is what makes `transitions` return nothing.
  if isIn(2, bullmqId) then
    return record[1] == 'completed' and ended and published >= attempt
      and redis.call('EXISTS', key .. ':dependencies') == 0 and record[4]
  end
  if isIn(3, bullmqId) or published ~= attempt or ended or (paused or '') ~= '' then return false end
  if redis.call('EXISTS', key .. ':lock') == 1 then
    return record[1] == 'active' and rank == '0'
      and redis.call('LLEN', key .. ':logs') <= (tonumber(job[4]) or 0) and record[4]
  end
  return record[1] == 'waiting' and rank == '2' and attempt == 0 and not (job[5] or job[6])
    and not (isIn(4, bullmqId) or isIn(5, bullmqId) or isIn(6, bullmqId))
    and redis.call('HEXISTS', KEYS[7], 'paused') == 0 and record[4]
end

local reply = {}
for i = 1, #ARGV, 2 do
  -- pcall: another tool may have replaced a key of a job or of the queue. Such jobs are reconciled, one by one.
  local ok, owner = pcall(ownerIfUpToDate, KEYS[i + 7], KEYS[i + 8], ARGV[i], ARGV[i + 1])
  reply[(i + 1) / 2] = ok and owner
end
return reply
