--[[
  Adds lines to BullMQ's log of a job, each once, and records that the lines do not have to be copied to the channel of
  the job.

  KEYS[1] the job's hash
  KEYS[2] the log of the job (list)
  ARGV[1] number of lines to keep
  ARGV[2] the source of the lines, without spaces; each run has a different one
  ARGV[3] number of the first line below; the lines of a source are numbered from 1
  ARGV[4] "1" if the lines before it are known to be lost; otherwise nothing is added while lines are missing
  ARGV[5...] the lines

  Headway's fields of the hash: "hw:logged", the number of lines that are on the channel already; "hw:said"
  ("<source> <number>"), the last line that was added.

  Returns the number of the last line of the source in the log; false if the job does not exist.
  Cost: O(lines of the call + lines that are trimmed); callers send at most 256 lines.
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local name, number = string.match(redis.call('HGET', KEYS[1], 'hw:said') or '', '^(%S+) (%d+)$')
local taken = name == ARGV[2] and tonumber(number) or 0
local first, last = tonumber(ARGV[3]), tonumber(ARGV[3]) + #ARGV - 5
if first > taken + 1 and ARGV[4] ~= '1' then return taken end
if last <= taken then return taken end
for i = 5 + math.max(0, taken - first + 1), #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[1]), -1)
redis.call('HSET', KEYS[1], 'hw:logged', redis.call('LLEN', KEYS[2]), 'hw:said', ARGV[2] .. ' ' .. last)
return last
