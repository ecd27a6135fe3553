--[[
  Reads the real state of a BullMQ job in one step.

  KEYS[1] the job's hash    KEYS[2] active (list)     KEYS[3] completed   KEYS[4] failed
  KEYS[5] delayed           KEYS[6] prioritized       KEYS[7] waiting-children (sorted sets)
  KEYS[8] the queue's meta (hash)
  ARGV[1] the job's id

  Returns false when there is no such job, else
  {state, when it is due ("" unless delayed), name, ats, atm, stc, timestamp, processedOn, finishedOn, failedReason,
   returnvalue, progress, opts, hw:cancel, hw:code, whether its queue is paused ("1" or ""),
   children that have not ended, that completed, that failed}

  Cost: O(log N), and O(jobs that run) for a job that was begun before and has no lock.
]]
-- Other things than jobs share the place behind the queue's name; a job scheduler even has a name, but no time.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return false end
local job = redis.call('HMGET', KEYS[1], 'name', 'ats', 'atm', 'stc', 'timestamp', 'processedOn', 'finishedOn',
  'failedReason', 'returnvalue', 'progress', 'opts', 'hw:cancel', 'hw:code', 'defa')
if not job[1] or not job[5] then return false end

local state, due = 'waiting', ''
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  state = 'completed'
elseif redis.call('ZSCORE', KEYS[4], ARGV[1]) then
  state = 'failed'
elseif redis.call('EXISTS', KEYS[1] .. ':lock') == 1
  -- Nobody comes into this list without one of these (processedOn, or defa: see cancel.lua).
  or ((job[6] or job[14]) and redis.call('LPOS', KEYS[2], ARGV[1])) then
  state = 'active'
elseif redis.call('ZSCORE', KEYS[6], ARGV[1]) then
  state = 'prioritized'
elseif redis.call('ZSCORE', KEYS[7], ARGV[1]) then
  state = 'waiting-children'
else
  local score = redis.call('ZSCORE', KEYS[5], ARGV[1])
  if score then
    state = 'delayed'
    -- BullMQ keeps the time in the upper bits of the score, the order of arrival in the lower twelve.
    due = string.format('%.0f', math.floor(tonumber(score) / 4096))
  end
end
local reply = {state, due}
for i = 1, 13 do reply[i + 2] = job[i] or '' end
-- Another tool may have put megabytes there, of which 10,000 characters are shown.
if #reply[10] > 40000 then reply[10] = string.sub(reply[10], 1, 40000) end
reply[16] = redis.call('HEXISTS', KEYS[8], 'paused') == 1 and '1' or ''
-- BullMQ keeps a parent's children in keys behind its own: a set, a hash of results, a hash of reasons. A key that another
-- tool made something else of holds none.
local function size(command, suffix)
  local count = redis.pcall(command, KEYS[1] .. suffix)
  return type(count) == 'number' and count or 0
end
reply[#reply + 1] = tostring(size('SCARD', ':dependencies'))
reply[#reply + 1] = tostring(size('HLEN', ':processed'))
reply[#reply + 1] = tostring(size('HLEN', ':failed') + size('ZCARD', ':unsuccessful'))
return reply
