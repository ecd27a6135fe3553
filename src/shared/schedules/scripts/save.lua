--[[
  Stores a schedule, if it has not changed since the caller read it.

  KEYS[1] definitions: a hash, id -> "<version> <JSON>"
  KEYS[2] all schedules, KEYS[3] those of the owner: sorted sets of positions, all with score 0
  KEYS[4] keys: a hash, digest of owner and key -> id
  KEYS[5] pending: a set of the ids that are not synced with BullMQ yet
  ARGV[1] the id          ARGV[2] the version that the caller has read; 0 for a new schedule
  ARGV[3] the new version ARGV[4] the schedule as JSON
  ARGV[5] its position: creation time and id
  ARGV[6] the digest of its key, or ""
  ARGV[7] "1" if it is deleted

  Returns "saved", "changed" (another caller was faster), or the id of the schedule that already has the key.

  Cost: O(log schedules + length of the schedule).
]]
local present = redis.call('HGET', KEYS[1], ARGV[1])
local version = present and string.match(present, '^%d+') or '0'
if version ~= ARGV[2] then return 'changed' end

if ARGV[6] ~= '' then
  local holder = redis.call('HGET', KEYS[4], ARGV[6])
  if ARGV[7] == '1' then
    if holder == ARGV[1] then redis.call('HDEL', KEYS[4], ARGV[6]) end
  elseif holder and holder ~= ARGV[1] and redis.call('HEXISTS', KEYS[1], holder) == 1 then
    return holder
  else
    redis.call('HSET', KEYS[4], ARGV[6], ARGV[1])
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
for i = 2, 3 do
  if ARGV[7] == '1' then redis.call('ZREM', KEYS[i], ARGV[5]) else redis.call('ZADD', KEYS[i], 0, ARGV[5]) end
end
redis.call('SADD', KEYS[5], ARGV[1])
return 'saved'
