--[[
  Reads a batch of the state slots of a channel that are newer than an offset. Repeated calls until the cursor is "0" again
  reach every slot, and no call takes long. A slot that changes meanwhile gets an offset beyond ARGV[3] and is read with the
  events after that.

  KEYS[1]  the slots, as KEYS[3] of publish.lua
  ARGV[1]  a cursor; "0" to begin
  ARGV[2]  an offset: only newer frames are returned
  ARGV[3]  an offset: only frames up to it are returned

  Returns {cursor, {frame, ...} in any order, some of them twice}

  Cost: O(512 slots or 256 KiB), or one larger slot.
]]
local MAX_BYTES, MAX_SLOTS = 262144, 512
local after, upTo = tonumber(ARGV[2]), tonumber(ARGV[3])
local cursor, frames, bytes, seen, step = ARGV[1], {}, 0, 0, 1
repeat
  local reply = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', step)
  cursor = reply[1]
  local before = bytes
  for i = 2, #reply[2], 2 do
    local frame = reply[2][i]
    local offset = tonumber(string.match(frame, '^id: %w+%-(%d+)'))
    bytes, seen = bytes + #frame, seen + 1
    if offset and offset > after and offset <= upTo then frames[#frames + 1] = frame end
  end
  -- Large slots are read one at a time: the size of the next one is unknown.
  step = bytes - before > 32768 and 1 or 4
until cursor == '0' or bytes >= MAX_BYTES or seen >= MAX_SLOTS
return {cursor, frames}
