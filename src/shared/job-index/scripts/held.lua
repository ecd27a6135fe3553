--[[
  Returns whether a job that has not completed uses a file. Removes the entries of jobs that have completed or were removed
  by another tool.

  KEYS[1] the files of jobs: a sorted set of "<file id> <queue>:<BullMQ's job id>", all of score 0
  ARGV[1] the file's id
  ARGV[2] the prefix of BullMQ's keys

  Returns 1 if a job uses the file, 0 if none does, -1 if more entries remain to be examined.

  Cost: O(log N + examined entries), at most AT_ONCE entries in a call.
]]
local AT_ONCE = 500
local found = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1] .. ' ', '(' .. ARGV[1] .. '!', 'LIMIT', 0, AT_ONCE)
for _, member in ipairs(found) do
  local suffix = string.sub(member, #ARGV[1] + 2)
  local queue, id = string.match(suffix, '^([^:]+):(.+)$')
  local job = ARGV[2] .. ':' .. suffix
  if redis.call('TYPE', job).ok == 'hash' and redis.call('HEXISTS', job, 'timestamp') == 1
    and not redis.call('ZSCORE', ARGV[2] .. ':' .. queue .. ':completed', id) then
    return 1
  end
  redis.call('ZREM', KEYS[1], member)
end
return #found == AT_ONCE and -1 or 0
