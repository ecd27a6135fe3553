--[[
  Says in which attempt jobs were at a place of their queue's event stream: what is read of a job now may already be of
  a later attempt than an event that was read before. The runs that began since then are counted from the stream, a part
  with each call.

  KEYS[1]  the queue's event stream
  KEYS[2…] the jobs' hashes
  ARGV[1]  the id of the entry in question, or of the last one that was counted
  ARGV[2]  the id up to which the stream is counted, as the first call has returned it; "" for the first call
  ARGV[3]  how many entries are looked at in one call
  ARGV[4…] the jobs' ids, in the order of their hashes

  Returns {the id up to which the stream is counted, the last entry that was counted ("" when that was all), and for each
  job a number}. The sum of a job's numbers is its attempt at that place.

  Cost: O(ARGV[3] + jobs).
]]
local first = ARGV[2] == ''
local upTo = ARGV[2]
if first then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  upTo = newest and newest[1] or ARGV[1]
end
local count = tonumber(ARGV[3])
local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], upTo, 'COUNT', count)
local begun = {}
for _, entry in ipairs(entries) do
  local fields, event, job = entry[2], nil, nil
  for i = 1, #fields, 2 do
    if fields[i] == 'event' then event = fields[i + 1] elseif fields[i] == 'jobId' then job = fields[i + 1] end
  end
  if event == 'active' and job then begun[job] = (begun[job] or 0) + 1 end
end
-- What another tool made of a job must not keep the others from their answer.
local function attemptsIn(key)
  local ats = redis.pcall('HGET', key, 'ats')
  return type(ats) == 'string' and tonumber(ats) or 0
end
local reply = {upTo, #entries == count and entries[count][1] or ''}
for i = 2, #KEYS do
  reply[i + 1] = (first and attemptsIn(KEYS[i]) or 0) - (begun[ARGV[i + 2]] or 0)
end
return reply
