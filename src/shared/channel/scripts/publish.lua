--[[
  Publishes one event to a channel: takes its next offset, keeps it (log or slot), and sends the frame to
  whoever listens. One round trip, atomic.

  KEYS[1]  the channel: a hash; the Pub/Sub channel has the same name. Fields: epoch, offset (of the newest event),
           log (offset of the newest log event), logs (how many log events there were), start (offset before the first event that newcomers get),
           end (offset of the event that ended it), and for jobs the fence: attempt, rank, failures, stalls, and the
           marks: due, percent (of the attempt), lines, paused ("1" when told that the queue is)
  KEYS[2]  its log: a stream, entry id "<offset>-0", fields f = frame, p = offset of the log event before,
           t = when it was published, ms since 1970, n = its number among the log events, from 1
  KEYS[3]  its state slots: a hash, slot key -> frame

  ARGV[1]  "SPUBLISH" or "PUBLISH"
  ARGV[2]  an epoch, used when the channel does not exist yet: 1 to 32 of A-Z a-z 0-9
  ARGV[3]  the slot key of a state event; "" for a log event
  ARGV[4]  the frame without its id line: "event: ...\ndata: ...\n\n" (with ":end\n" before the last "\n" when it ends the channel).
           A line "id: <own>\n" in front is the publisher's own id: it is put behind ours, after a colon
  ARGV[5]  about how many events the log keeps
  ARGV[6]  ms after which a channel without new events is forgotten
  ARGV[7]  "1" when this event ends the channel, else ""
  The fence of a job's event; none of it for other events:
  ARGV[8]  the attempt of the job that this event belongs to
  ARGV[9]  the rank of a lifecycle event within its attempt; none for an event that happens while the attempt runs
  ARGV[10] with a rank: how many attempts of the job had failed by then
  ARGV[11] with a rank: how often the job had stalled by then
  ARGV[12] with a rank: the offset of the end that this event takes back, or "" where none is known: then it is kept
           out if there is one
  ARGV[13] a mark, or none: the field of KEYS[1] that says how far was told of what this event is about
  ARGV[14] what the mark has to be ("" for none yet), else the event is kept out: somebody else has told of it
  ARGV[15] what it becomes

  Returns the event's id "<epoch>-<offset>", or false when the fence kept the event out.
]]
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'log', 'attempt', 'rank', 'end')
local epoch, lastLog, ended = meta[1], meta[3] or '0', meta[6]
local attempt, rank = tonumber(ARGV[8] or ''), tonumber(ARGV[9] or '')
local reopens, mark = ARGV[12] or '', ARGV[13] or ''
local fresh = false

if mark ~= '' and (redis.call('HGET', KEYS[1], mark) or '') ~= ARGV[14] then return false end
if attempt then
  local nowAttempt, nowRank = tonumber(meta[4] or '-1'), tonumber(meta[5] or '-1')
  if reopens ~= '' then
    if ended ~= reopens then return false end
    fresh = true
  elseif rank then
    -- Who does not know of the end looked before it was told.
    if ended then return false end
    if attempt < nowAttempt or (attempt == nowAttempt and rank < nowRank) then return false end
    -- Told again at the same place, with something new, it has a mark.
    if attempt == nowAttempt and rank == nowRank and mark == '' then return false end
    fresh = attempt > nowAttempt
  elseif mark == 'paused' then
    -- A job that runs does not wait for its queue.
    if ended or attempt ~= nowAttempt or (ARGV[15] == '1' and nowRank == 0) then return false end
  elseif ended or attempt < nowAttempt or (attempt == nowAttempt and nowRank > 0) then
    return false
  end
end

if not epoch then
  epoch = ARGV[2]
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
local at = string.format('%.0f', offset)
local frame
if string.sub(ARGV[4], 1, 4) == 'id: ' then
  frame = 'id: ' .. epoch .. '-' .. at .. ':' .. string.sub(ARGV[4], 5)
else
  frame = 'id: ' .. epoch .. '-' .. at .. '\n' .. ARGV[4]
end

-- What the slots held belongs to the attempt before.
if fresh then
  redis.call('DEL', KEYS[3])
  redis.call('HDEL', KEYS[1], 'percent', 'paused')
end
if mark ~= '' then redis.call('HSET', KEYS[1], mark, ARGV[15]) end

local refresh = offset % 64 == 0
if ARGV[3] == '' then
  local time = redis.call('TIME')
  local ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  local number = redis.call('HINCRBY', KEYS[1], 'logs', 1)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], at .. '-0', 'f', frame, 'p', lastLog, 't', ms, 'n', number)
  redis.call('HSET', KEYS[1], 'log', at)
  refresh = true
elseif redis.call('HSET', KEYS[3], ARGV[3], frame) == 1 then
  refresh = true
end

if rank then
  redis.call('HSET', KEYS[1], 'attempt', ARGV[8], 'rank', ARGV[9], 'failures', ARGV[10], 'stalls', ARGV[11])
end
if ended and attempt then
  -- Another run begins: whoever comes from now on starts with it, not with the end of the last one.
  redis.call('HDEL', KEYS[1], 'end')
  redis.call('HSET', KEYS[1], 'start', string.format('%.0f', offset - 1))
end
if ARGV[7] == '1' then redis.call('HSET', KEYS[1], 'end', at) end

if refresh then
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[6]) end
end
redis.call(ARGV[1], KEYS[1], frame)
return epoch .. '-' .. at
