--[[
  Records that the end of a job with a cancel request was published. Until then, every run of the job that starts is
  stopped; afterwards the job may run again.

  KEYS[1] the job's hash
  ARGV[1] the time of that end, ms since 1970. A job that was retried and cancelled once more has a different one.

  Writes the field "hw:cancel", see cancel.lua.

  Cost: O(1).
]]
local job = redis.call('HMGET', KEYS[1], 'hw:cancel', 'finishedOn')
-- The check also keeps the script from creating the hash of a removed job.
if job[1] == 'asked' and job[2] == ARGV[1] then redis.call('HSET', KEYS[1], 'hw:cancel', 'told') end
