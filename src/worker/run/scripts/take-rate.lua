--[[
  Takes one job from a rate limit, in the key in which BullMQ counts the jobs of the first shard: a counter that expires at the
  end of the window. BullMQ's scripts and this one therefore count together.

  KEYS[1] the counter
  ARGV[1] the maximum number of jobs in a window   ARGV[2] its length, in ms

  Returns {how long to wait, in ms; 0 if the job may be taken, the end of the window, in ms since 1970}.

  Cost: O(1).
]]
local left = redis.call('PTTL', KEYS[1])
-- A counter without an end would never be reset.
if left == -1 then redis.call('UNLINK', KEYS[1]) end
if left > 0 and tonumber(redis.call('GET', KEYS[1])) >= tonumber(ARGV[1]) then return {left, 0} end
if redis.call('INCR', KEYS[1]) == 1 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
local time = redis.call('TIME')
return {0, time[1] * 1000 + math.floor(time[2] / 1000) + left}
