--[[
  Stores a schedule, if it has not changed since the caller read it.

  KEYS[1] definitions: a hash, id -> "<version> <JSON>"
  KEYS[2] all schedules, KEYS[3] those of the owner: sorted sets of positions, all with score 0
  KEYS[4] keys: a hash, digest of owner and key -> id
  KEYS[5] pending: a set of the ids that are not synced with BullMQ yet
  KEYS[6] the schedules that count together: KEYS[3], or those that were made without a token from the same address
  ARGV[1] the id          ARGV[2] the version that the caller has read; 0 for a new schedule
  ARGV[3] the new version ARGV[4] the schedule as JSON
  ARGV[5] its position: creation time and id
  ARGV[6] the digest of its key, or ""
  ARGV[7] "1" if it is deleted
  ARGV[8] the maximum number of schedules in KEYS[6] for a new schedule; 0 for none

  Returns "saved", "changed" (another caller was faster), "full" (there are too many), or the id of the schedule that already
  has the key.

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
  end
end
local max = tonumber(ARGV[8])
if not present and max > 0 and redis.call('ZCARD', KEYS[6]) >= max then return 'full' end
if ARGV[6] ~= '' and ARGV[7] ~= '1' then redis.call('HSET', KEYS[4], ARGV[6], ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
for _, set in ipairs({KEYS[2], KEYS[3], KEYS[6]}) do
  if ARGV[7] == '1' then redis.call('ZREM', set, ARGV[5]) else redis.call('ZADD', set, 0, ARGV[5]) end
end
redis.call('SADD', KEYS[5], ARGV[1])
return 'saved'
