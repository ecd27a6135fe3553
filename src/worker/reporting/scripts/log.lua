--[[
  Adds lines to the log that BullMQ keeps of a job, each once, and notes that they need nobody to carry them to the job's
  channel.

  KEYS[1] the job's hash
  KEYS[2] its log (list)
  ARGV[1] how many lines are kept
  ARGV[2] the source of the lines, without spaces: each run has its own
  ARGV[3] the number of the first line below; the lines of a source are numbered from 1
  ARGV[4] "1" when the lines before that are known to be lost; else nothing is added while some are missing
  ARGV[5...] the lines

  The fields of the hash that are ours: "hw:logged", how many of the lines are on the channel by another way;
  "hw:said" ("<source> <number>"), the last line that was added.

  Returns the number of the last line that the log has of the source; false when there is no such job.
  Cost: O(lines of the call + lines that are dropped); callers send at most 256 of them.
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
