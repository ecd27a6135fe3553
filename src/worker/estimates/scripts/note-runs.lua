--[[
  Adds completed runs to the lists of their kinds, and reads these lists.

  KEYS     the list of each kind: what is kept of its runs, newest first
  ARGV[1]  the number of runs that a list keeps
  ARGV[2]  how long a list is kept without a new run, in ms
  ARGV[3]  and following: for each new run the position of its list in KEYS, and the run

  Returns the lists.

  Cost: O(new runs + runs of the lists).
]]
local MOST = tonumber(ARGV[1])

-- Another tool may have replaced a list. That must not lose the runs of the other kinds.
local function attempt(...)
  local result = redis.pcall(...)
  if type(result) ~= 'table' or not result.err then return result end
  if string.find(result.err, 'WRONGTYPE') then return {} end
  error(result.err)
end

for i = 3, #ARGV, 2 do attempt('LPUSH', KEYS[tonumber(ARGV[i])], ARGV[i + 1]) end
local lists = {}
for i, key in ipairs(KEYS) do
  attempt('LTRIM', key, 0, MOST - 1)
  lists[i] = attempt('LRANGE', key, 0, MOST - 1)
  redis.call('PEXPIRE', key, ARGV[2])
end
return lists
