--[[
  Finds the calls that the user of the connection may not make. Nothing is called.

  ARGV  calls, each as words that are separated by spaces: command, subcommand, arguments

  Returns the positions of the refused calls in ARGV. It is empty before Redis 7, which cannot answer the question. Calls of
  commands that the server does not know are left out.

  Cost: O(n) for n calls.
]]
local check = redis.acl_check_cmd
local denied = {}
if check then
  for i, call in ipairs(ARGV) do
    local words = {}
    for word in string.gmatch(call, '%S+') do words[#words + 1] = word end
    local isKnown, isAllowed = pcall(check, unpack(words))
    if isKnown and isAllowed == false then denied[#denied + 1] = i end
  end
end
return denied
