--[[
  Functions that record the files of jobs, prepended to scripts of the index (see scripts.ts). The record is a sorted set
  of "<file id> <queue>:<BullMQ's job id>", all with score 0. A job holds the files in its data until it has completed,
  because a failed job may be retried.

  The data is searched as text, so it does not matter which tool wrote it. The limits bound the cost for any data.

  Cost: O(length of the data + number of files), at most 3,000 mentions and 1,000 files.
]]
local MAX_FILES, MAX_MENTIONS = 1000, 3000

-- Calls visit with the id of each file that is mentioned in a job's data.
local function eachFile(data, visit)
  local seen, files, at = {}, 0, 1
  for _ = 1, MAX_MENTIONS do
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

-- Returns the last part of a job's entries: its key without the prefix of BullMQ's keys. base is that prefix and ".index".
local function suffixOf(base, jobKey) return string.sub(jobKey, #base - #'.index' + 2) end

local function holdFiles(base, jobKey)
  local suffix = suffixOf(base, jobKey)
  eachFile(redis.call('HGET', jobKey, 'data') or '', function(id)
    redis.call('ZADD', base .. ':files', 0, id .. ' ' .. suffix)
  end)
end

local function releaseFiles(base, jobKey)
  local suffix = suffixOf(base, jobKey)
  eachFile(redis.call('HGET', jobKey, 'data') or '', function(id)
    redis.call('ZREM', base .. ':files', id .. ' ' .. suffix)
  end)
end
