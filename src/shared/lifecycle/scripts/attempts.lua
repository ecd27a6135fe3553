--[[
  Returns the attempt that jobs were in at an entry of their queue's event stream. A job's hash may already belong to a
  later attempt than that entry, so the runs that started since are counted in the stream, one part for each call.

  KEYS[1]  the queue's event stream
  KEYS[2…] the jobs' hashes
  ARGV[1]  the id of the entry; in later calls, of the last entry that was counted
  ARGV[2]  the id up to which the stream is counted, as returned by the first call; "" in the first call
  ARGV[3]  the maximum number of entries for one call
  ARGV[4…] the jobs' ids, in the order of their hashes

  Returns {the id up to which the stream is counted, the last entry that was counted ("" when none is left), and for each
  job a number}. The sum of a job's numbers over all calls is its attempt at the entry.

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
-- pcall: another tool may have replaced a job's hash, which must not fail the call for the other jobs.
local function attemptsIn(key)
  local ats = redis.pcall('HGET', key, 'ats')
  return type(ats) == 'string' and tonumber(ats) or 0
end
local reply = {upTo, #entries == count and entries[count][1] or ''}
for i = 2, #KEYS do
  reply[i + 1] = (first and attemptsIn(KEYS[i]) or 0) - (begun[ARGV[i + 2]] or 0)
end
return reply
