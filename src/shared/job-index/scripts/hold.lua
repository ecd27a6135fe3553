--[[
  Records the files of a job, unless it has completed. Uses functions of files.lua.

  KEYS[1]  the job's hash
  KEYS[2]  completed (a sorted set)
  ARGV[1]  the prefix of the index's sets
  ARGV[2]  the job's id in BullMQ

  Cost: that of holdFiles in files.lua.
]]
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then holdFiles(ARGV[1], KEYS[1]) end
