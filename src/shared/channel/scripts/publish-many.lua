--[[
  Publishes to several channels in one call. `publish` is publish.lua, which scripts.ts puts in front as a function. The
  channels are independent: what one of them refuses, and an error in one of them, does not affect the others.

  KEYS    for each channel, KEYS[1] of publish.lua. A channel may occur several times: the calls are made in order
  ARGV    for each channel, the number of its arguments and then the arguments of publish.lua, without ARGV[21]

  Returns for each channel the reply of publish.lua, or its error.

  Cost: the sum of the calls. `createPublisher` limits the number and the size of the events.
]]
local server = {}
local replies, at = {}, 1
for i, channel in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  local args = {unpack(ARGV, at + 1, at + count)}
  args.server = server
  at = at + count + 1
  local ok, reply = pcall(publish, {channel, channel .. ':log', channel .. ':slots'}, args)
  if not ok then reply = {err = type(reply) == 'table' and reply.err or reply} end
  replies[i] = reply
end
return replies
