--[[
  Publishes one or more consecutive events to a channel, atomically and in one round trip. Each event gets the channel's next
  offset, is stored (in the log or in a slot), and its frame is sent to the subscribers.

  KEYS[1]  the channel: a hash; the Pub/Sub channel has the same name. Fields: epoch, offset (of the newest event),
           log (offset of the newest log event), logs (number of log events so far),
           start (offset before the first event that new viewers get), end (offset of the event that ended it),
           run (run id of the Redis server that last wrote here),
           history (first 12 characters of that server's replication id, which changes with each start and each promotion),
           past (earlier epochs of this channel, newest first: "<epoch>:<its last offset> ..."),
           said ("<source> <number>": the last event of a source that numbers its events. The source of a run is
           "<attempt>.<start of the run by Redis' clock>.<random>", with times of equal length),
           ordered (the offset up to which ":order" is correct),
           and for channels with limits: bytes (of all log events so far), trimmed (how many of them the log no longer has, at
           least), held (bytes of all slots); and for jobs the fence (attempt, rank, failures, stalls) and the guard fields: due, percent (of the attempt),
           lines, paused (the sum of what was published: 1 queue paused, 2 queue without a worker, 4 job asked to stop, 8 times
           the position in the queue)
  KEYS[2]  its log: a stream, entry id "<offset>-0", fields f = frame, p = offset of the log event before,
           t = time of publishing in ms since 1970, n = number among the log events, from 1,
           b = with limits: the field `bytes` of KEYS[1] after this event
  KEYS[3]  its state slots: a hash, slot key -> frame
  KEYS[1] .. ":order"  only for channels with many or large slots: a sorted set, slot key -> offset of its frame. It is
           correct only while `ordered` in KEYS[1] equals `offset` (releases before 0.2 do not maintain it), and complete only
           while it has as many members as there are slots
  KEYS[4]  only for a source with a record: a hash that stores what was published of one request. Fields: number (of the
           last event) and, for each call, the number of its first event -> the id of that event

  ARGV[1]  "SPUBLISH" or "PUBLISH"
  ARGV[2]  a new epoch, 12 of A-Z a-z 0-9, for a channel that does not exist yet. A channel that continues on another run
           of Redis gets its first four characters appended to the old epoch
  ARGV[3]  the slot key of a state event; "" for a log event
  ARGV[4]  the frame without its id line: "event: ...\ndata: ...\n\n" (with ":end\n" before the last "\n" when it ends the channel).
           A leading line "id: <own>\n" is the publisher's id, which is appended to Headway's after a colon
  ARGV[5]  the approximate number of events that the log keeps
  ARGV[6]  how long the channel is kept without new events, in ms
  ARGV[7]  "1" when this event ends the channel, else ""
  The fence of a job's event; absent or "" for other events:
  ARGV[8]  the attempt of the job that this event belongs to
  ARGV[9]  the rank of a lifecycle event within its attempt; absent for an event of a running attempt
  ARGV[10] with a rank: the number of the job's failed attempts so far
  ARGV[11] with a rank: the number of its stalls so far
  ARGV[12] with a rank: the offset of the end that this event revokes; "" rejects the event if the channel has ended
  ARGV[13] a guard field of KEYS[1], or ""
  ARGV[14] the value that the guard field must have ("" if it is not set). With another value the event is rejected, because
           another process has published it
  ARGV[15] the new value of the guard field
  ARGV[16] "1" to accept a rank that was already published, because only the guard field has changed
  ARGV[17] the run of the server: the first 12 characters of `run_id` in INFO; "" if it is unknown, or if connections reach
           several servers. Then runs are not compared
  The source of numbered events; absent for events without numbers:
  ARGV[18] its name. A source other than the one in `said` begins at 1. An attempt has two runs only if Redis has lost data;
           then the later run is the valid one
  ARGV[19] the number of the event above; the further events follow
  ARGV[20] "1" if the events before it are known to be lost. Otherwise nothing is published while some are missing
  ARGV[21] with KEYS[4]: how long the record is kept, in ms
  The limits of a channel that callers publish to; absent or "" for none:
  ARGV[22] the maximum number of bytes in the log. Beyond it, the oldest events are removed, but not the newest one
  ARGV[23] the maximum number of slots
  ARGV[24] the maximum number of bytes in all slots
  Further events, three arguments each: as ARGV[3], ARGV[4] and ARGV[7]

  Returns
    false if the fence rejected the events;
    the number of the source's last published event (an integer) if the following ones are missing;
    -1 if the start of the source's attempt was not published yet, or Redis has lost it;
    -2 if the channel would have too many slots, -3 if they would have too many bytes. Nothing was published;
    else the id "<epoch>-<offset>" of the first event published now, or "" if all were published before. The ids of several
    events are consecutive. With KEYS[4], it is the id of the first event of the call, published now or before.

  Cost: O(number and size of the events). A call has at most 256 events or 256 KiB, or one larger event. When a channel gets
  its first large slot or more than 32 slots, the existing slots are read once, if they are at most 33 and 256 KiB. With limits, also the slots of the call and, when the
  log has too many bytes, its removed events.
]]
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'log', 'attempt', 'rank', 'end', 'run', 'said', 'logs',
  'history', 'ordered')
local epoch, lastLog, ended = meta[1], meta[3] or '0', meta[6]
local attempt, rank = tonumber(ARGV[8] or ''), tonumber(ARGV[9] or '')
local reopens, guard, run = ARGV[12] or '', ARGV[13] or '', ARGV[17] or ''
local fresh = false

if guard ~= '' and (redis.call('HGET', KEYS[1], guard) or '') ~= ARGV[14] then return false end
if attempt then
  local nowAttempt, nowRank = tonumber(meta[4] or '-1'), tonumber(meta[5] or '-1')
  if reopens ~= '' then
    if ended ~= reopens then return false end
    fresh = true
  elseif rank then
    -- The publisher does not know of the end: it read the channel before the end was published.
    if ended then return false end
    if attempt < nowAttempt or (attempt == nowAttempt and rank < nowRank) then return false end
    if attempt == nowAttempt and rank == nowRank and ARGV[16] ~= '1' then return false end
    fresh = attempt > nowAttempt
  elseif guard == 'paused' then
    -- A running job does not wait for its queue, but it may have been asked to stop ("4").
    if ended or attempt ~= nowAttempt or (ARGV[15] ~= '' and ARGV[15] ~= '4' and nowRank == 0) then return false end
  elseif attempt > nowAttempt and (ARGV[18] or '') ~= '' then
    return -1
  elseif ended or attempt < nowAttempt or (attempt == nowAttempt and nowRank > 0) then
    return false
  end
end

local FURTHER = 25
-- publish-many.lua sets the number of events.
local count = ARGV.count or 1 + math.max(0, (#ARGV - FURTHER + 1) / 3)
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

-- A server that was demoted and promoted again keeps its run id and its connections, but may have another server's data.
-- Only the replication id shows that, so it is read with each call. publish-many.lua gives all channels of a call the same
-- table, so that it is read once.
local server, history, isOther = ARGV.server or {}, '', false
if run ~= '' then
  if not server.history then
    local info = redis.pcall('INFO', 'replication')
    local _, at = string.find(type(info) == 'string' and info or '', 'master_replid:', 1, true)
    server.history = at and string.sub(info, at + 1, at + 12) or ''
  end
  history = server.history
  -- Earlier releases store only the run.
  isOther = meta[7] ~= run or (history ~= '' and meta[10] and meta[10] ~= history)
end

-- With many or large slots, a sorted set finds those that are newer than an offset without reading all of them.
local MANY_SLOTS, LARGE_FRAME, FEW_BYTES = 32, 8192, 262144
local ordered = meta[11] == meta[2] and meta[11]
-- Existing slots are added only if they are few and small. Otherwise each is added when it changes next.
local function beginOrder(changing)
  local order = KEYS[1] .. ':order'
  redis.call('UNLINK', order)
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

-- The sizes of a channel with limits are counted as it changes. Those of a channel without counts begin at zero.
local maxLogBytes, maxSlots, maxHeld = tonumber(ARGV[22] or ''), tonumber(ARGV[23] or ''), tonumber(ARGV[24] or '')
local logBytes, trimmed, held = 0, 0, 0
if maxLogBytes and epoch then
  local sizes = redis.call('HMGET', KEYS[1], 'bytes', 'trimmed', 'held')
  logBytes, trimmed, held = tonumber(sizes[1] or '0'), tonumber(sizes[2] or '0'), tonumber(sizes[3] or '0')
end
-- What the "id" line adds to a body at most.
local ID_LINE = 48
if maxSlots then
  local sizes, slots, bytes = {}, epoch and redis.call('HLEN', KEYS[3]) or 0, held
  for i = math.max(1, taken - first + 2), count do
    local at = FURTHER + (i - 2) * 3
    local slot, body = ARGV[at], ARGV[at + 1]
    if i == 1 then slot, body = ARGV[3], ARGV[4] end
    if slot ~= '' then
      local before = sizes[slot] or (epoch and redis.call('HSTRLEN', KEYS[3], slot) or 0)
      if before == 0 then slots = slots + 1 end
      sizes[slot] = #body + ID_LINE
      bytes = bytes + sizes[slot] - before
      -- An event that takes no more than the one before it is accepted even if the limits were lowered.
      if before == 0 and slots > maxSlots then return -2 end
      if #body > before and bytes > maxHeld then return -3 end
    end
  end
end

local isNew, past = not epoch, nil
if isNew or begunAgain then
  -- If the attempt has started again, the new epoch makes viewers discard its earlier progress.
  epoch = ARGV[2]
elseif isOther and meta[7] and meta[7] ~= '' then
  -- Another server, or the same one after a restart or promotion: it may have lost its last writes. A new epoch makes readers
  -- beyond this offset recognizable.
  past = {epoch .. ':' .. (meta[2] or '0')}
  for one in string.gmatch(redis.call('HGET', KEYS[1], 'past') or '', '%S+') do
    if #past < 16 then past[#past + 1] = one end
  end
  epoch = string.sub(epoch, 1, 12) .. string.sub(ARGV[2], 1, 4)
end

if isNew then
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[1] .. ':order')
elseif fresh or begunAgain then
  -- The slots belong to the previous attempt.
  redis.call('UNLINK', KEYS[3], KEYS[1] .. ':order')
  redis.call('HDEL', KEYS[1], 'percent', 'ordered', fresh and 'paused' or 'past')
  ordered = false
elseif meta[11] and not ordered then
  redis.call('UNLINK', KEYS[1] .. ':order')
  redis.call('HDEL', KEYS[1], 'ordered')
end

local offset = tonumber(meta[2] or '0')
local logs, firstId, endAt, ms = tonumber(meta[9] or '0'), nil, nil, nil
-- New keys have no expiry yet.
local newLog, newKeys = false, isNew
for i = math.max(1, taken - first + 2), count do
  local at = FURTHER + (i - 2) * 3
  local slot, body, ends = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if i == 1 then slot, body, ends = ARGV[3], ARGV[4], ARGV[7] end
  offset = offset + 1
  local place = string.format('%d', offset)
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
      ms = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
    end
    if lastLog == '0' then newLog, newKeys = true, true end
    logs = logs + 1
    if maxLogBytes then
      logBytes = logBytes + #frame
      redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], place .. '-0', 'f', frame, 'p', lastLog, 't', ms, 'n', logs, 'b',
        string.format('%d', logBytes))
    else
      redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], place .. '-0', 'f', frame, 'p', lastLog, 't', ms, 'n', logs)
    end
    lastLog = place
  else
    if maxSlots then held = held + #frame - redis.call('HSTRLEN', KEYS[3], slot) end
    local isNewSlot = redis.call('HSET', KEYS[3], slot, frame) == 1
    if not ordered and (#frame > LARGE_FRAME or (isNewSlot and redis.call('HLEN', KEYS[3]) > MANY_SLOTS)) then
      beginOrder(slot)
      isNewSlot = true
    end
    newKeys = newKeys or isNewSlot
    if ordered then redis.call('ZADD', KEYS[1] .. ':order', place, slot) end
  end
  if ends == '1' then endAt = place end
  redis.call(ARGV[1], KEYS[1], frame)
end

-- Removes the oldest log events while the log has too many bytes: a quarter at a time, so that it happens rarely.
while ms and maxLogBytes and logBytes - trimmed > maxLogBytes do
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  -- An entry of an earlier release has no count.
  trimmed = math.max(trimmed, tonumber(oldest[2][10] or '0') - #oldest[2][2])
  local length = redis.call('XLEN', KEYS[2])
  if logBytes - trimmed <= maxLogBytes or length == 1 then break end
  redis.call('XTRIM', KEYS[2], 'MAXLEN', math.max(1, math.floor(length * 3 / 4)))
end

-- One call for all fields. It has the fields of most events at once, because a table that grows is copied.
local newest, last = string.format('%d', offset), string.format('%d', first + count - 1)
local fields = {'offset', newest, 'said', source .. ' ' .. last}
if source == '' or KEYS[4] then fields = {'offset', newest} end
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
if epoch ~= meta[1] or isOther or (history ~= '' and not meta[10]) then
  set('epoch', epoch)
  set('run', run)
  if history ~= '' then set('history', history) end
end
if past then set('past', table.concat(past, ' ')) end
if guard ~= '' and ARGV[15] ~= ARGV[14] then set(guard, ARGV[15]) end
if ms or not meta[3] then
  set('log', lastLog)
  set('logs', logs)
end
if rank then
  set('attempt', ARGV[8])
  set('rank', ARGV[9])
  set('failures', ARGV[10])
  set('stalls', ARGV[11])
end
if ended and attempt then
  -- The job runs again: new viewers start with this run, not with the end of the last one.
  redis.call('HDEL', KEYS[1], 'end')
  set('start', string.format('%d', offset - 1))
end
if endAt then set('end', endAt) end
if maxLogBytes and ms then
  set('bytes', string.format('%d', logBytes))
  set('trimmed', string.format('%d', trimmed))
end
if maxSlots and held ~= 0 then set('held', string.format('%d', math.max(0, held))) end
if ordered then set('ordered', newest) end
redis.call('HSET', KEYS[1], unpack(fields))
if KEYS[4] then
  redis.call('HSET', KEYS[4], 'number', last, ARGV[19], firstId)
  redis.call('PEXPIRE', KEYS[4], ARGV[21])
end

-- Redis allocates 4 KiB in advance for the first entries of a stream, more than the log of most jobs needs. A copy has the
-- exact size. BullMQ needs RENAME too; a server without COPY keeps the space.
if newLog then
  local copy = KEYS[2] .. ':copy'
  if redis.pcall('COPY', KEYS[2], copy, 'REPLACE') == 1 then redis.call('RENAME', copy, KEYS[2]) end
end

-- Every event renews the channel's expiry, rounded to a sixteenth, so that most events only read it.
local ttl, left = tonumber(ARGV[6]), not newKeys and redis.call('PTTL', KEYS[1])
if newKeys or left > ttl or left < ttl - ttl / 16 then
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[6]) end
  if ordered then redis.call('PEXPIRE', KEYS[1] .. ':order', ARGV[6]) end
end
return firstId
