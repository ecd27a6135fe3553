--[[
  Takes units from buckets, each of which limits a rate (see bucket.ts). The takings are made in order, and each one either
  takes all of its units or nothing.

  KEYS[i]  a bucket: a string, the time at which it is full again, ms since 1970. A full bucket has no key
  ARGV[3 * i - 2]  the number of units; a negative number gives units back
  ARGV[3 * i - 1]  how many units the bucket holds
  ARGV[3 * i]      the time in which an empty bucket is filled, in ms

  Returns for each taking 1 if the units were taken else 0, the remaining units, the ms until the same taking may succeed, and
  the ms until the bucket is full.

  Cost: O(takings).
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local replies = {}
for i = 1, #KEYS do
  local units, max, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local unitMs = window / max
  local before = math.max(tonumber(redis.call('GET', KEYS[i])) or now, now)
  local after = math.max(before + units * unitMs, now)
  local allowed = after - now <= window
  local fullAt = allowed and after or before
  if allowed then
    if after > now then
      redis.call('SET', KEYS[i], string.format('%.3f', after), 'PX', math.ceil(after - now))
    else
      redis.call('UNLINK', KEYS[i])
    end
  end
  replies[#replies + 1] = allowed and 1 or 0
  replies[#replies + 1] = math.max(0, math.floor((window - (fullAt - now)) / unitMs + 1e-6))
  replies[#replies + 1] = allowed and 0 or math.ceil(after - now - window)
  replies[#replies + 1] = math.ceil(fullAt - now)
end
return replies
