--[[
  Returns how many jobs a queue takes before each of the given ones.

  KEYS[1]  BullMQ's list of waiting jobs: the next one is the last
  KEYS[2]  BullMQ's settings of the queue: a hash
  KEYS[3]  BullMQ's prioritized jobs: a sorted set. They are taken when no other job waits, the lowest score first
  ARGV[1]  how many of the next jobs to look at: N
  ARGV[2]  and following: the ids of the jobs

  Returns two numbers for each job: the position, 0 for the next job, N for "N or more", or -1 if that is unknown or the job
  does not wait; and 1 for a prioritized job, else 0. Nothing for a paused queue, and for one in which no job waits.

  Cost: O(N + given jobs * log(prioritized jobs)), however many jobs wait.
]]
local MOST = tonumber(ARGV[1])
if redis.call('HEXISTS', KEYS[2], 'paused') == 1 then return {} end
local waiting = redis.call('LLEN', KEYS[1])
if waiting == 0 and redis.call('EXISTS', KEYS[3]) == 0 then return {} end

local next = redis.call('LRANGE', KEYS[1], -MOST, -1)
local positions = {}
for i, id in ipairs(next) do positions[id] = #next - i end

local queue = string.sub(KEYS[1], 1, -#'wait' - 1)
-- A job that is in no other set and has never been taken is further back in the list.
local function isFurtherBack(id)
  local job = redis.call('HMGET', queue .. id, 'timestamp', 'processedOn', 'finishedOn', 'defa')
  if not job[1] or job[2] or job[3] or job[4] then return false end
  return not redis.call('ZSCORE', queue .. 'delayed', id) and not redis.call('ZSCORE', queue .. 'waiting-children', id)
end

local reply = {}
for i = 2, #ARGV do
  local id, position, prioritized = ARGV[i], positions[ARGV[i]], 0
  local score = not position and redis.call('ZSCORE', KEYS[3], id)
  if score then
    prioritized = 1
    position = math.min(MOST, waiting + redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. score))
  elseif not position and waiting > MOST and isFurtherBack(id) then
    position = MOST
  end
  reply[#reply + 1] = position or -1
  reply[#reply + 1] = prioritized
end
return reply
