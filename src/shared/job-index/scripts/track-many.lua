--[[
  Reads several jobs and updates the index in one call. `track` is track.lua, which scripts.ts puts in front as a function. The
  jobs are independent: an error about one of them does not affect the others.

  KEYS[1]  and KEYS[2]: as in track.lua
  KEYS[3…] for each job, KEYS[3] and KEYS[4] of track.lua
  ARGV[1…4] ARGV[2] to ARGV[5] of track.lua
  ARGV[5…] for each job, ARGV[1], ARGV[6] and ARGV[7] of track.lua

  Returns for each job the reply of track.lua, or its error.

  Cost: the sum of the calls. `createTracker` limits their number.
]]
local replies = {}
for i = 0, (#KEYS - 2) / 2 - 1 do
  local at = 3 + 2 * i
  local id, ended, bullmqId = unpack(ARGV, 5 + 3 * i, 7 + 3 * i)
  local ok, reply = pcall(
    track,
    {KEYS[1], KEYS[2], KEYS[at], KEYS[at + 1]},
    {id, ARGV[1], ARGV[2], ARGV[3], ARGV[4], ended, bullmqId}
  )
  if not ok then reply = {err = type(reply) == 'table' and reply.err or reply} end
  replies[i + 1] = reply
end
return replies
