--[[
  Gives a job back to a rate limit that was taken by take-rate.lua, unless its window is over.

  KEYS[1] the counter
  ARGV[1] the end of the window, in ms since 1970

  Cost: O(1).
]]
-- Times are rounded to ms.
local ROUNDED = 2
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then return end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + left
if math.abs(ends - tonumber(ARGV[1])) > ROUNDED then return end
-- The next job begins a new window.
if redis.call('INCRBY', KEYS[1], -1) <= 0 then redis.call('UNLINK', KEYS[1]) end
