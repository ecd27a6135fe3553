--[[
  Takes or renews the lease of the lifecycle bridge. A worker takes it from an API process, never the other way.

  KEYS[1] the lease
  ARGV[1] who wants it: "worker:<id>" or "api:<id>"
  ARGV[2] for how long, in ms

  Returns 1 when it is held now, 0 when somebody else has it.

  Cost: O(1).
]]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  local steals = string.sub(ARGV[1], 1, 7) == 'worker:' and string.sub(holder, 1, 4) == 'api:'
  if not steals then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
