--[[
  Publishes to several channels in one call. `publish` is publish.lua, which scripts.ts puts in front as a function. The
  channels are independent: what one of them refuses, and an error in one of them, does not affect the others.

  KEYS     for each channel, KEYS[1] of publish.lua. A channel may occur several times: the calls are made in order
  For all channels:
  ARGV[1]  "SPUBLISH" or "PUBLISH"
  ARGV[2]  the first 10 characters of a new epoch. The position of the channel in this call is appended
  ARGV[3]  the approximate number of events that a log keeps
  ARGV[4]  the run of the server, as ARGV[17] of publish.lua
  Then for each channel, named by their numbers in publish.lua:
    [6], [8], the further fence ([9] to [16] as one text with spaces in between, or ""), [18], [19], [20],
    the number of its events, and for each of them [3], [4] and [7]

  Returns for each channel the reply of publish.lua, or its error.

  Cost: the sum of the calls. `createPublisher` limits the number and the size of the events.
]]
local command, epoch, logLength, run = unpack(ARGV, 1, 4)
local FENCE = '^' .. string.rep('(%S*) ', 7) .. '(%S*)$'
local server = {}
local replies, at = {}, 5
for i, channel in ipairs(KEYS) do
  local ttl, attempt, fence, source, first, skip, count, slot, body, ends = unpack(ARGV, at, at + 9)
  local rank, failures, stalls, reopens, guard, from, to, again
  if fence ~= '' then rank, failures, stalls, reopens, guard, from, to, again = string.match(fence, FENCE) end
  -- A table that is filled bit by bit is copied each time it grows.
  local args = {
    command, epoch .. string.format('%02d', i), slot, body, logLength, ttl, ends,
    attempt, rank, failures, stalls, reopens, guard, from, to, again, run, source, first, skip,
    count = tonumber(count), server = server,
  }
  at = at + 10
  -- Such channels have no limits: [22] to [24] are absent.
  for k = 25, count * 3 + 21 do
    args[k] = ARGV[at]
    at = at + 1
  end
  local ok, reply = pcall(publish, {channel, channel .. ':log', channel .. ':slots'}, args)
  if not ok then reply = {err = type(reply) == 'table' and reply.err or reply} end
  replies[i] = reply
end
return replies
