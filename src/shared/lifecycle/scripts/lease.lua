--[[
  Takes or renews the lease of the queue follower. A worker can take it from an API process, but not the reverse. If there are
  several leases, a process that holds fewer of them asks for one that another process of its role holds, and gets it when that
  process renews it.

  KEYS[1] the lease
  KEYS[2] the request for it: "<other leases of the process> <the process>"
  ARGV[1] the caller: "worker:<id>" or "api:<id>"
  ARGV[2] the duration of the lease, in ms
  ARGV[3] how many other leases the caller holds; "" if it neither asks for this one nor leaves it to another process

  Returns 1 if the caller holds the lease now, 0 if another process does.

  Cost: O(1).
]]
local function roleOf(name) return string.match(name, '^%a*:') end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  local steals = roleOf(ARGV[1]) == 'worker:' and roleOf(holder) == 'api:'
  if not steals then
    if ARGV[3] ~= '' and roleOf(holder) == roleOf(ARGV[1]) then
      local asked = redis.call('GET', KEYS[2])
      local fewest, by = string.match(asked or '', '^(%d+) (.+)$')
      -- A process corrects its own request, so that it does not get more than its share.
      if not fewest or by == ARGV[1] or tonumber(ARGV[3]) <= tonumber(fewest) then
        redis.call('SET', KEYS[2], ARGV[3] .. ' ' .. ARGV[1], 'PX', ARGV[2])
      end
    end
    return 0
  end
elseif holder and ARGV[3] ~= '' then
  local fewest, other = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) (.+)$')
  -- With the lease, the other process must not have more than this one has without it.
  if fewest and tonumber(fewest) + 1 <= tonumber(ARGV[3]) then
    redis.call('UNLINK', KEYS[2])
    redis.call('SET', KEYS[1], other, 'PX', ARGV[2])
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
