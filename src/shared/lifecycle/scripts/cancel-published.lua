--[[
  Notes that the end of a job which somebody asked to end has been told. From then on it may run again; until then each
  run that begins is stopped.

  KEYS[1] the job's hash
  ARGV[1] when that end was, ms since 1970: a job that was put back since then, and is asked to end once more, has another

  The field of the hash that is ours: "hw:cancel", see cancel.lua.

  Cost: O(1).
]]
local job = redis.call('HMGET', KEYS[1], 'hw:cancel', 'finishedOn')
-- Nothing is written where there is no job any more.
if job[1] == 'asked' and job[2] == ARGV[1] then redis.call('HSET', KEYS[1], 'hw:cancel', 'told') end
