--[[
  Says whether a job that has not completed names a file. Entries of jobs that have completed, or that another tool has
  removed, are dropped on the way.

  KEYS[1] which job names which file: a sorted set of "<file id> <queue>:<BullMQ's job id>", all of score 0
  ARGV[1] the file's id
  ARGV[2] the prefix of BullMQ's keys

  Returns 1 when one does, 0 when none does, -1 when more entries remain to be looked at.

  Cost: O(log N + the entries of the file that are looked at), a bounded number in a call.
]]
local AT_ONCE = 500
local found = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1] .. ' ', '(' .. ARGV[1] .. '!', 'LIMIT', 0, AT_ONCE)
for _, member in ipairs(found) do
  local place = string.sub(member, #ARGV[1] + 2)
  local queue, id = string.match(place, '^([^:]+):(.+)$')
  local job = ARGV[2] .. ':' .. place
  if redis.call('TYPE', job).ok == 'hash' and redis.call('HEXISTS', job, 'timestamp') == 1
    and not redis.call('ZSCORE', ARGV[2] .. ':' .. queue .. ':completed', id) then
    return 1
  end
  redis.call('ZREM', KEYS[1], member)
end
return #found == AT_ONCE and -1 or 0
