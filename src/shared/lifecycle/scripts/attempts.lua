--[[
  Says in which attempt jobs were at a place of their queue's event stream: what is read of a job now may already be of
  a later attempt than an event that was read before.

  KEYS[1]  the queue's event stream
  KEYS[2…] the jobs' hashes
  ARGV[1]  the id of the entry in question
  ARGV[2…] the jobs' ids, in the order of their hashes

  Returns for each job the runs begun at that place; 0 for one that is gone.
]]
local begun = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')) do
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
local reply = {}
for i = 2, #KEYS do
  local attempt = attemptsIn(KEYS[i]) - (begun[ARGV[i]] or 0)
  reply[i - 1] = math.max(attempt, 0)
end
return reply
