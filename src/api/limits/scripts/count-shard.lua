--[[
  Counts the unfinished jobs of an owner in one shard, and reads the states of some jobs there, for reserve.lua, which reads the
  first shard itself.

  KEYS[1]  the records of the shard's index: a hash, id -> record (see record.lua)
  ARGV[1]  the prefix of its sets
  ARGV[2]  the digest of the owner; "" to count nothing
  ARGV[3…] the ids of the jobs

  Returns the number of unfinished jobs, that of active ones, and the state of each job, "" for one that is not in the index.

  Cost: O(jobs).
]]
local reply = {0, 0}
if ARGV[2] ~= '' then
  for _, state in ipairs({'waiting', 'delayed', 'prioritized', 'waiting-children', 'active'}) do
    local size = redis.call('ZCARD', ARGV[1] .. ':' .. ARGV[2] .. ':' .. state)
    reply[1] = reply[1] + size
    if state == 'active' then reply[2] = size end
  end
end
for i = 3, #ARGV do
  local record = recordIn(redis.call('HGET', KEYS[1], ARGV[i]))
  reply[i] = record and record[1] or ''
end
return reply
