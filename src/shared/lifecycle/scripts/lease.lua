--[[
  Takes or renews the lease of the queue follower. A worker can take it from an API process, but not the reverse.

  KEYS[1] the lease
  ARGV[1] the caller: "worker:<id>" or "api:<id>"
  ARGV[2] the duration of the lease, in ms

  Returns 1 if the caller holds the lease now, 0 if another process does.

  Cost: O(1).
]]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  local steals = string.sub(ARGV[1], 1, 7) == 'worker:' and string.sub(holder, 1, 4) == 'api:'
  if not steals then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
