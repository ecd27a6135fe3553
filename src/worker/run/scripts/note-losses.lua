--[[
  Records how many lost workers count against a job.

  KEYS[1] the job's hash
  ARGV[1] number of losses until now, stored in BullMQ's own counter "stc"; "" leaves the counter as it is
  ARGV[2] highest number that counts at the next check: losses beyond it hit runs that had not begun. "" for the number
          until now

  Headway's field of the hash: "hw:losses".

  Cost: O(1).
]]
-- Do not recreate the hash of a removed job.
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], 'stc', ARGV[1]) end
local most = ARGV[2]
if most == '' then most = redis.call('HGET', KEYS[1], 'stc') or '0' end
redis.call('HSET', KEYS[1], 'hw:losses', most)
