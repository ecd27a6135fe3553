--[[
  Notes how often a job has lost its worker, as far as that counts against it.

  KEYS[1] the job's hash
  ARGV[1] how often until now: becomes BullMQ's own count, "stc"; "" leaves that as it is
  ARGV[2] how often at most when the job is looked at next: losses beyond that were of runs that had not begun. "" for as
          often as until now

  The field of the hash that is ours: "hw:losses".

  Cost: O(1).
]]
-- Nothing is written where there is no job any more.
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], 'stc', ARGV[1]) end
local most = ARGV[2]
if most == '' then most = redis.call('HGET', KEYS[1], 'stc') or '0' end
redis.call('HSET', KEYS[1], 'hw:losses', most)
