--[[
  Functions that note which job names which file, put before the scripts of the index (see lua.ts): a sorted set of
  "<file id> <queue>:<BullMQ's job id>", all of score 0. A job holds the files in its data until it has completed: one that
  failed may be retried.

  The data is searched as text, whatever tool wrote it. The bounds keep the script short whatever the data is.

  Cost: O(length of the data + files that it names), 3,000 mentions and 1,000 files at most.
]]
local MAX_FILES, MAX_LOOKS = 1000, 3000

-- Calls visit with the id of each file that occurs in a job's data.
local function eachFile(data, visit)
  local seen, files, at = {}, 0, 1
  for _ = 1, MAX_LOOKS do
    local from = string.find(data, 'file_', at, true)
    if not from or files == MAX_FILES then return end
    local id = string.sub(data, from, from + 31)
    if #id == 32 and not seen[id] and not string.find(id, '[^%w_-]') then
      seen[id] = true
      files = files + 1
      visit(id)
    end
    at = from + 5
  end
end

-- What the entries of a job end with: its key without the prefix of BullMQ's keys, which base (ARGV[2]) begins with.
local function placeOf(base, jobKey) return string.sub(jobKey, #base - #'.index' + 2) end

local function holdFiles(base, jobKey)
  local place = placeOf(base, jobKey)
  eachFile(redis.call('HGET', jobKey, 'data') or '', function(id)
    redis.call('ZADD', base .. ':files', 0, id .. ' ' .. place)
  end)
end

local function releaseFiles(base, jobKey)
  local place = placeOf(base, jobKey)
  eachFile(redis.call('HGET', jobKey, 'data') or '', function(id)
    redis.call('ZREM', base .. ':files', id .. ' ' .. place)
  end)
end
