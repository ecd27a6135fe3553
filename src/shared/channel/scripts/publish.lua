--[[
  Publishes events to a channel, one or several in a row: each takes the channel's next offset, is kept (in the log or in
  a slot), and its frame is sent to whoever listens. One round trip, atomic.

  KEYS[1]  the channel: a hash; the Pub/Sub channel has the same name. Fields: epoch, offset (of the newest event),
           log (offset of the newest log event), logs (how many log events there were),
           start (offset before the first event that newcomers get), end (offset of the event that ended it), run (the run of the Redis server that last wrote here),
           history (the first 12 characters of that server's replication id: another one after each start and each promotion),
           past (earlier epochs of this channel, newest first: "<epoch>:<its last offset> ..."),
           said ("<source> <number>": the last event taken from a source that numbers its events; the source of a run is
           "<attempt>.<when the run began, by Redis' clock>.<random>", times of one length),
           ordered (the offset up to which ":order" is right),
           and for jobs the fence: attempt, rank, failures, stalls, and the
           marks: due, percent (of the attempt), lines, paused (a sum: 1 when told that the queue is, 2 that it has no
           worker, 4 that the job was asked to stop)
  KEYS[2]  its log: a stream, entry id "<offset>-0", fields f = frame, p = offset of the log event before,
           t = when it was published, ms since 1970, n = its number among the log events, from 1
  KEYS[3]  its state slots: a hash, slot key -> frame
  KEYS[1] .. ":order"  only where there are many slots or large ones: a sorted set, slot key -> offset of its frame. It is
           right only while `ordered` in KEYS[1] is the same as `offset` (a release before this one does not keep it), and
           complete only while it has as many members as there are slots
  KEYS[4]  only for a source with a record: a hash that remembers what was published of one request. Fields: number (of the
           last event taken) and, for each call, the number of its first event -> the id of that event

  ARGV[1]  "SPUBLISH" or "PUBLISH"
  ARGV[2]  a new epoch, 12 of A-Z a-z 0-9: for a channel that does not exist yet; its first four characters are for one
           that goes on after another run of Redis
  ARGV[3]  the slot key of a state event; "" for a log event
  ARGV[4]  the frame without its id line: "event: ...\ndata: ...\n\n" (with ":end\n" before the last "\n" when it ends the channel).
           A line "id: <own>\n" in front is the publisher's own id: it is put behind ours, after a colon
  ARGV[5]  about how many events the log keeps
  ARGV[6]  ms after which a channel without new events is forgotten
  ARGV[7]  "1" when this event ends the channel, else ""
  The fence of a job's event; none of it, or "", for other events:
  ARGV[8]  the attempt of the job that this event belongs to
  ARGV[9]  the rank of a lifecycle event within its attempt; none for an event that happens while the attempt runs
  ARGV[10] with a rank: how many attempts of the job had failed by then
  ARGV[11] with a rank: how often the job had stalled by then
  ARGV[12] with a rank: the offset of the end that this event takes back, or "" where none is known: then it is kept
           out if there is one
  ARGV[13] a mark, or none: the field of KEYS[1] that says how far was published of what this event is about
  ARGV[14] what the mark has to be ("" for none yet), else the event is kept out: another process has published it
  ARGV[15] what it becomes
  ARGV[16] "1" when the event may stand at a place that was published already, because only its mark has moved
  ARGV[17] the run of the server: the first 12 characters of `run_id` in INFO; none where the publisher does not know it, or
           connections reach several servers: then nothing is compared
  The source of numbered events; none for events without numbers:
  ARGV[18] its name; a source whose name is not the one in `said` begins at 1. Of two runs of one attempt, which there are
           only after Redis has lost data, the later one is the job's
  ARGV[19] the number of the event above; those below follow
  ARGV[20] "1" when the events before that are known to be lost; else the script takes nothing while some are missing
  ARGV[21] with KEYS[4]: how long the record is kept, in ms
  Further events, three arguments for each: as ARGV[3], ARGV[4] and ARGV[7]

  Returns
    false when the fence kept the events out;
    the number of the last event that was taken (an integer) when the source's next ones are missing;
    -1 when the beginning of the source's attempt was not published yet, or Redis has lost it;
    else the id "<epoch>-<offset>" of the first event published now, or "" when all of them had been taken before; the ids
    of several events follow each other. With KEYS[4] it is the id of the first event of the call, published now or before.

  Cost: O(number and size of the events); callers send at most 256 events or 256 KiB (or one larger event) in a call. Once
  for a channel, when it gets many slots or a large one: those that it has, if they are 33 or less and 256 KiB at most.
]]
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'log', 'attempt', 'rank', 'end', 'run', 'said', 'logs',
  'history', 'ordered')
local epoch, lastLog, ended = meta[1], meta[3] or '0', meta[6]
local attempt, rank = tonumber(ARGV[8] or ''), tonumber(ARGV[9] or '')
local reopens, mark, run = ARGV[12] or '', ARGV[13] or '', ARGV[17] or ''
local fresh = false

if mark ~= '' and (redis.call('HGET', KEYS[1], mark) or '') ~= ARGV[14] then return false end
if attempt then
  local nowAttempt, nowRank = tonumber(meta[4] or '-1'), tonumber(meta[5] or '-1')
  if reopens ~= '' then
    if ended ~= reopens then return false end
    fresh = true
  elseif rank then
    -- A publisher that does not know of the end read the channel before it.
    if ended then return false end
    if attempt < nowAttempt or (attempt == nowAttempt and rank < nowRank) then return false end
    if attempt == nowAttempt and rank == nowRank and ARGV[16] ~= '1' then return false end
    fresh = attempt > nowAttempt
  elseif mark == 'paused' then
    -- A job that runs does not wait for its queue, but may have been asked to stop ("4").
    if ended or attempt ~= nowAttempt or (ARGV[15] ~= '' and ARGV[15] ~= '4' and nowRank == 0) then return false end
  elseif attempt > nowAttempt and (ARGV[18] or '') ~= '' then
    return -1
  elseif ended or attempt < nowAttempt or (attempt == nowAttempt and nowRank > 0) then
    return false
  end
end

local FURTHER = 22
local count = 1 + math.max(0, (#ARGV - FURTHER + 1) / 3)
local source, first, taken = ARGV[18] or '', tonumber(ARGV[19] or '') or 1, 0
local begunAgain = false
if source ~= '' then
  if KEYS[4] then
    taken = tonumber(redis.call('HGET', KEYS[4], 'number') or '0')
  elseif meta[8] then
    local name, number = string.match(meta[8], '^(%S+) (%d+)$')
    if name == source then
      taken = tonumber(number)
    elseif name and attempt then
      local mine, other = string.match(source, '^(%d+%.)%d+'), string.match(name, '^(%d+%.)%d+')
      if mine and mine == other then
        if source < name then return false end
        begunAgain = true
      end
    end
  end
  if first > taken + 1 and ARGV[20] ~= '1' then return taken end
  if first + count - 1 <= taken then
    return KEYS[4] and redis.call('HGET', KEYS[4], ARGV[19]) or ''
  end
end

-- A server that was demoted and promoted again keeps its run and its connections, but may hold another server's data by
-- then. Only its replication id tells, so it is read here, at this moment.
local history, isOther = '', false
if run ~= '' then
  local info = redis.pcall('INFO', 'replication')
  local _, at = string.find(type(info) == 'string' and info or '', 'master_replid:', 1, true)
  if at then history = string.sub(info, at + 1, at + 12) end
  -- A release before this one notes the run alone.
  isOther = meta[7] ~= run or (at and meta[10] and meta[10] ~= history)
end
local function noteServer()
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run)
  if history ~= '' then redis.call('HSET', KEYS[1], 'history', history) end
end

-- To find what is newer than an offset among many or large slots, all of them would have to be read.
local MANY_SLOTS, LARGE_FRAME, FEW_BYTES = 32, 8192, 262144
local order, ordered = KEYS[1] .. ':order', meta[11] == meta[2] and meta[11]
local function dropOrder()
  if meta[11] then redis.call('HDEL', KEYS[1], 'ordered') end
  redis.call('UNLINK', order)
  ordered = false
end
local function dropSlots()
  redis.call('UNLINK', KEYS[3])
  dropOrder()
end
-- Slots that were there before are put in only if they are few and small. Otherwise each comes in when it changes next.
local function beginOrder(changing)
  dropOrder()
  ordered = true
  if redis.call('HLEN', KEYS[3]) > MANY_SLOTS + 1 then return end
  local keys, bytes = redis.call('HKEYS', KEYS[3]), 0
  for _, key in ipairs(keys) do
    if key ~= changing then bytes = bytes + redis.call('HSTRLEN', KEYS[3], key) end
  end
  if bytes > FEW_BYTES then return end
  for _, key in ipairs(keys) do
    local frame = key ~= changing and redis.call('HGET', KEYS[3], key)
    local place = frame and string.match(frame, '^id: %w+%-(%d+)')
    if place then redis.call('ZADD', order, place, key) end
  end
end
if meta[11] and not ordered then dropOrder() end

if not epoch then
  epoch = ARGV[2]
  redis.call('UNLINK', KEYS[2])
  dropSlots()
  noteServer()
elseif begunAgain then
  -- Its progress begins anew within the attempt: viewers are told to forget what they know.
  epoch = ARGV[2]
  dropSlots()
  redis.call('HDEL', KEYS[1], 'past', 'percent')
  noteServer()
elseif isOther then
  -- Another server, or the same one started again or promoted again: it may have lost its last writes. From here on ids are
  -- others, so that a reader beyond this offset is recognised.
  if meta[7] and meta[7] ~= '' then
    local past = {epoch .. ':' .. (meta[2] or '0')}
    for one in string.gmatch(redis.call('HGET', KEYS[1], 'past') or '', '%S+') do
      if #past < 16 then past[#past + 1] = one end
    end
    epoch = string.sub(epoch, 1, 12) .. string.sub(ARGV[2], 1, 4)
    redis.call('HSET', KEYS[1], 'past', table.concat(past, ' '))
  end
  noteServer()
elseif history ~= '' and not meta[10] then
  noteServer()
end

-- What the slots held belongs to the attempt before.
if fresh then
  dropSlots()
  redis.call('HDEL', KEYS[1], 'percent', 'paused')
end
if mark ~= '' then redis.call('HSET', KEYS[1], mark, ARGV[15]) end

local offset = tonumber(meta[2] or '0')
local logs, firstId, endAt, ms = tonumber(meta[9] or '0'), nil, nil, nil
-- Keys that are new have no time to live yet.
local newKeys = fresh or offset == 0
for i = math.max(1, taken - first + 2), count do
  local at = FURTHER + (i - 2) * 3
  local slot, body, ends = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if i == 1 then slot, body, ends = ARGV[3], ARGV[4], ARGV[7] end
  offset = offset + 1
  local place = string.format('%.0f', offset)
  local id = epoch .. '-' .. place
  firstId = firstId or id
  local frame
  if string.sub(body, 1, 4) == 'id: ' then
    frame = 'id: ' .. id .. ':' .. string.sub(body, 5)
  else
    frame = 'id: ' .. id .. '\n' .. body
  end
  if slot == '' then
    if not ms then
      local time = redis.call('TIME')
      ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    end
    if lastLog == '0' then newKeys = true end
    logs = logs + 1
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], place .. '-0', 'f', frame, 'p', lastLog, 't', ms, 'n', logs)
    lastLog = place
  else
    local isNew = redis.call('HSET', KEYS[3], slot, frame) == 1
    if not ordered and (#frame > LARGE_FRAME or (isNew and redis.call('HLEN', KEYS[3]) > MANY_SLOTS)) then
      beginOrder(slot)
      isNew = true
    end
    newKeys = newKeys or isNew
    if ordered then redis.call('ZADD', order, place, slot) end
  end
  if ends == '1' then endAt = place end
  redis.call(ARGV[1], KEYS[1], frame)
end

local fields = {'offset', string.format('%.0f', offset), 'log', lastLog, 'logs', logs}
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
if rank then
  set('attempt', ARGV[8])
  set('rank', ARGV[9])
  set('failures', ARGV[10])
  set('stalls', ARGV[11])
end
if ended and attempt then
  -- Another run begins: whoever comes from now on starts with it, not with the end of the last one.
  redis.call('HDEL', KEYS[1], 'end')
  set('start', string.format('%.0f', offset - 1))
end
if endAt then set('end', endAt) end
if ordered then set('ordered', fields[2]) end
local last = string.format('%.0f', first + count - 1)
if source ~= '' and not KEYS[4] then set('said', source .. ' ' .. last) end
redis.call('HSET', KEYS[1], unpack(fields))
if KEYS[4] then
  redis.call('HSET', KEYS[4], 'number', last, ARGV[19], firstId)
  redis.call('PEXPIRE', KEYS[4], ARGV[21])
end

-- Every event renews the life of the channel; to the sixteenth, so that most of them cost one look.
local ttl, left = tonumber(ARGV[6]), redis.call('PTTL', KEYS[1])
if newKeys or left > ttl or left < ttl - ttl / 16 then
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[6]) end
  if ordered then redis.call('PEXPIRE', order, ARGV[6]) end
end
return firstId
