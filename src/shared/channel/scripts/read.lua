--[[
  Reads the events that a reader at an offset of a channel has missed: the log events after it and the newer slots.

  KEYS     as in publish.lua
  ARGV[1]  the epoch of the reader's offset; "" for a reader that has seen nothing
  ARGV[2]  the reader's offset; 0 for a reader that has seen nothing
  ARGV[3]  the maximum number of log events
  ARGV[4]  for a reader that has seen nothing: skips the log events up to this offset, except the end; 0 skips none

  Returns false if the channel does not exist, else
  {epoch, offset, end or "", reset reason or "", more log events follow (0 or 1),
   {log frame, ...} in order, {slot frame, ...} in any order, or false if slots.lua has to read them,
   the offset up to which no slot is missing, or "" if all were returned}
  Each frame has its offset in its id line.

  A reply has at most 256 KiB of each kind, or one larger frame.

  Cost: O(log N + the events and slots of one page): 256 events and 256 KiB, 512 slots and 256 KiB, or one larger frame of
  each. slots.lua is needed only for channels that a release before 0.2 has written.
]]
local MAX_BYTES, MAX_SLOTS = 262144, 512
-- Number of entries to read at a time: the size of an entry is unknown until it is read.
local STEP = 4
-- With more slots than this, their sizes are not added up.
local FEW_SLOTS = 64

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'end', 'log', 'start', 'past', 'ordered')
local epoch = meta[1]
if not epoch then return false end

-- A reader beyond the last offset of its epoch has seen events that Redis has lost, or sends an invented id: it starts from
-- the beginning. Reading never changes the channel.
local from, reset = tonumber(ARGV[2]), ''
if ARGV[1] ~= '' then
  local last
  if ARGV[1] == epoch then
    last = tonumber(meta[2])
  else
    for name, offset in string.gmatch(meta[6] or '', '(%w+):(%d+)') do
      if name == ARGV[1] then last = tonumber(offset) end
    end
  end
  if not last then
    from, reset = 0, 'epoch'
  elseif from > last then
    from, reset = 0, 'rewound'
  end
end

local slotsAfter = from
local start = tonumber(meta[5] or '0')
local lastLog = tonumber(meta[4] or '0')
if from < start then from = start end
local after = tonumber(ARGV[4])
-- The end of a channel is always returned, so that no viewer waits forever.
local ended = tonumber(meta[3] or '0')
if ended > 0 and after >= ended then after = ended - 1 end
-- An offset beyond the newest event belongs to an earlier channel of this name.
if ARGV[1] == '' and after > from and after <= tonumber(meta[2]) then from = after end

local most = tonumber(ARGV[3])
local logs, more, bytes = {}, 0, 0
local id = string.format('%.0f', from) .. '-0'
if lastLog > from then
  local step = 1
  repeat
    local entries = redis.call('XRANGE', KEYS[2], '(' .. id, '+', 'COUNT', math.min(step, most - #logs))
    if #logs == 0 and (#entries == 0 or tonumber(entries[1][2][4]) > from) and reset == '' then reset = 'trimmed' end
    for _, entry in ipairs(entries) do
      local frame = entry[2][2]
      if #logs > 0 and bytes + #frame > MAX_BYTES then
        more = 1
        break
      end
      id, bytes = entry[1], bytes + #frame
      logs[#logs + 1] = frame
    end
    if #logs == most then more = 1 end
    step = math.min(step * 2, STEP)
  until more == 1 or #entries == 0
end

local slots, upTo = false, ''
local order, count = KEYS[1] .. ':order', redis.call('HLEN', KEYS[3])
if count <= FEW_SLOTS then
  for _, key in ipairs(redis.call('HKEYS', KEYS[3])) do bytes = bytes + redis.call('HSTRLEN', KEYS[3], key) end
  if bytes <= MAX_BYTES then slots = redis.call('HVALS', KEYS[3]) end
end
if not slots and meta[7] == meta[2] and redis.call('ZCARD', order) == count then
  -- Slots that are newer than this page belong to a later one.
  upTo = more == 1 and string.match(id, '^%d+') or meta[2]
  slots, bytes = {}, 0
  local after = '(' .. string.format('%.0f', slotsAfter)
  local found = redis.call('ZRANGEBYSCORE', order, after, upTo, 'WITHSCORES', 'LIMIT', 0, MAX_SLOTS)
  local place = upTo
  for i = 1, #found, 2 do
    local size = redis.call('HSTRLEN', KEYS[3], found[i])
    if #slots > 0 and bytes + size > MAX_BYTES then
      upTo = place
      break
    end
    bytes, place = bytes + size, found[i + 1]
    slots[#slots + 1] = redis.call('HGET', KEYS[3], found[i]) or nil
  end
  if #found == 2 * MAX_SLOTS then upTo = place end
end
return {epoch, meta[2], meta[3] or '', reset, more, logs, slots, upTo}
