--[[
  Notes which files a job names, unless it has completed. Functions of files.lua come before this.

  KEYS[1]  the job's hash
  KEYS[2]  completed (a sorted set)
  ARGV[1]  how the keys of the index's sets begin
  ARGV[2]  the job's id in BullMQ

  Cost: that of holdFiles.
]]
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then holdFiles(ARGV[1], KEYS[1]) end
