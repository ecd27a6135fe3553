--[[
  All that a worker in another language needs to run the jobs of a queue: it takes a job, reports on it and ends it. The build
  inserts BullMQ's own scripts, so that a job moves between states exactly as in a Headway worker. Workers send the built
  file, dist/shared/bullmq/scripts/worker.lua; no process of Headway's calls it.

  KEYS[1] the metadata of the queue: "{headway}:<queue>:meta". The other keys of the queue share its prefix and its slot
  ARGV[1] the command
  ARGV[2] the token: a text that no other job and no other worker uses. It owns the lock of the job that was taken with it
  ARGV[3] how long the lock lasts without a further call, in ms
  ARGV[4] the id of the job; not for "take"

  take, optionally with the maximum number of stalls (MAX_STALLS, 3 by default)
    Takes the next job. Also ends jobs that were cancelled or expired before they began.
    {"job", id, name, data as JSON, number of the attempt, maximum number of attempts}, or
    {"none", how long to wait for the marker (BZPOPMIN "{headway}:<queue>:marker") before the next call, in ms}
  hold
    Keeps the lock. Call it at least three times within the time of ARGV[3].
  progress <JSON>
    Reports progress, and keeps the lock: a number from 0 to 100, or an object with fields of the event `progress`.
  log <number of the first line> <line> ...
    Adds lines, and keeps the lock. The lines of a token are numbered from 1, and each is added once.
  For these three
    {"ok"}; {"cancel"} or {"timeout"} if the worker should stop and call "fail" with that word; {"lost"} if it no longer has
    the job
  complete <result as JSON>                              {"completed"} or {"lost"}
  fail <message> ["permanent" | "cancel" | "timeout"]    {"failed"}, {"retry", ms until the next attempt} or {"lost"}
    With the second argument, no attempt follows. The message of "cancel" and "timeout" is always the same.
  release
    Puts the job back to the head of the queue, for a worker that ends. {"released"} or {"lost"}

  An error reply begins with HEADWAY. The job is unchanged then, and the worker still has it.

  Cost: that of BullMQ's scripts: O(log N), and O(active jobs of the queue) for the end of a job and for the search for
  stalled jobs, once in each interval. "log" adds O(lines of the call), "take" the jobs that it ends, at most 100.
]]
-- @bullmq extendLock
-- @bullmq moveJobFromActiveToWait
-- @bullmq moveStalledJobsToWait
-- @bullmq moveToActive
-- @bullmq moveToDelayed
-- @bullmq moveToFinished
-- @bullmq retryJob
-- @bullmq updateProgress

local MAX_STALLS = 3
local MAX_LINES, MAX_TEXT, MAX_PROGRESS = 10000, 40000, 65536
local MAX_WAIT_MS, MAX_ENDED = 5000, 100
local ARGUMENTS = {take = 3, hold = 4, progress = 5, log = 6, complete = 5, fail = 5, release = 4}

local function refuse(why) return redis.error_reply('HEADWAY ' .. why) end

local command, token, lockMs, id = ARGV[1] or '', ARGV[2] or '', tonumber(ARGV[3] or ''), ARGV[4] or ''
local isTake = command == 'take'
local function whole(number, least, most)
  return number and number >= least and number <= most and number % 1 == 0
end
if string.sub(KEYS[1] or '', -5) ~= ':meta' then return refuse('KEYS[1] must be "{prefix}:<queue>:meta"') end
if not ARGUMENTS[command] then return refuse('unknown command "' .. command .. '"') end
if #ARGV < ARGUMENTS[command] then return refuse(command .. ' needs ' .. ARGUMENTS[command] .. ' arguments') end
if not string.find(token, '^[!-~]+$') or #token < 8 or #token > 200 then
  return refuse('the token must have 8 to 200 visible ASCII characters')
end
if not whole(lockMs, 1000, 86400000) then
  return refuse('the time of the lock must be 1000 to 86400000 ms, as a whole number')
end

local base = string.sub(KEYS[1], 1, -5)
local function keysOf(...)
  local keys = {}
  for i, name in ipairs({...}) do keys[i] = base .. name end
  return keys
end
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%d', nowMs)
local jobKey = base .. id

-- JSON as JavaScript reads it: no NaN, no Infinity, no hexadecimal numbers.
local function parse(text)
  local json = cjson.new and cjson.new() or cjson
  if json ~= cjson then json.decode_invalid_numbers(false) end
  return pcall(json.decode, text)
end

-- Another tool may have written the options.
local function optionsOf(key)
  local ok, options = pcall(cjson.decode, redis.call('HGET', key, 'opts') or '{}')
  return ok and type(options) == 'table' and options or {}
end

local function settingOf(options, name)
  local settings = options.headway
  return type(settings) == 'table' and tonumber(settings[name]) or nil
end

-- Cuts a text without dividing a character of UTF-8.
local function cut(text)
  if #text <= MAX_TEXT then return text end
  local last = MAX_TEXT
  while last > MAX_TEXT - 4 and string.byte(text, last + 1) >= 128 and string.byte(text, last + 1) < 192 do
    last = last - 1
  end
  return string.sub(text, 1, last)
end

local function finish(jobId, target, field, value)
  local key, options = base .. jobId, optionsOf(base .. jobId)
  local keep = options[target == 'completed' and 'removeOnComplete' or 'removeOnFail']
  if type(keep) == 'number' then keep = {count = keep}
  elseif type(keep) ~= 'table' then keep = {count = keep == true and 0 or -1} end
  return moveToFinished(
    keysOf('wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', target,
      jobId, 'metrics:' .. target, 'marker'),
    {jobId, now, field, value, target, '0', base, cmsgpack.pack({
      token = token, keepJobs = keep, lockDuration = lockMs, attempts = tonumber(options.attempts) or 1,
      maxMetricsSize = '', fpof = options.fpof == true, cpof = options.cpof == true, idof = options.idof == true,
      rdof = options.rdof == true,
    }), ''})
end

-- The code names the attempt, because a later one may fail for another reason.
local function finalFailure(jobId, message, code)
  if code then redis.call('HSET', base .. jobId, 'hw:code', redis.call('HGET', base .. jobId, 'ats') .. ' ' .. code) end
  return finish(jobId, 'failed', 'failedReason', message)
end

-- As in Headway's workers, the interval is half the time of a lock by default.
local function checkStalled(most)
  moveStalledJobsToWait(
    keysOf('stalled', 'wait', 'active', 'stalled-check', 'meta', 'paused', 'marker', 'events', 'repeat'),
    {most, base, now, string.format('%d', math.floor(lockMs / 2))})
end

if isTake then
  local most = tonumber(ARGV[4] or MAX_STALLS)
  if not whole(most, 0, 1000) then return refuse('the maximum number of stalls must be 0 to 1000') end
  checkStalled(most)
  for _ = 1, MAX_ENDED do
    local taken = moveToActive(
      keysOf('wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', 'marker'),
      {base, now, cmsgpack.pack({token = token, lockDuration = lockMs})})
    if type(taken[1]) ~= 'table' then
      local wait, due = tonumber(taken[3]) or 0, tonumber(taken[4]) or 0
      if wait <= 0 then wait = due > 0 and due - nowMs or MAX_WAIT_MS end
      return {'none', string.format('%d', math.max(1, math.min(MAX_WAIT_MS, math.ceil(wait))))}
    end
    local jobId = taken[2]
    local key = base .. jobId
    local job = redis.call('HMGET', key, 'name', 'data', 'ats', 'defa', 'hw:cancel')
    local options = optionsOf(key)
    local expiresAt = settingOf(options, 'expiresAt')
    if not job[1] then
      -- The job was removed while it waited. What BullMQ has just written is no job.
      redis.call('LREM', base .. 'active', 1, jobId)
      redis.call('UNLINK', key, key .. ':lock')
    elseif job[4] then
      finalFailure(jobId, job[4])
    elseif job[5] == 'asked' then
      finalFailure(jobId, 'cancelled')
    elseif job[3] == '1' and expiresAt and expiresAt < nowMs then
      finalFailure(jobId, 'not started in time', 'expired')
    else
      local attempts = math.max(1, tonumber(options.attempts) or 1)
      return {'job', jobId, job[1], job[2] or 'null', job[3], string.format('%d', attempts)}
    end
  end
  return {'none', '1'}
end

if id == '' then return refuse('the id of the job is missing') end
local ended = {completed = {'completed'}, failed = {'failed'}, lost = {'lost'}}
if redis.call('GET', jobKey .. ':lock') ~= token then return ended.lost end

if command == 'release' then
  moveJobFromActiveToWait(
    keysOf('active', 'wait', 'stalled', 'paused', 'meta', 'limiter', 'prioritized', 'marker', 'events'),
    {id, token, jobKey})
  -- BullMQ wakes idle workers only for jobs without a priority.
  redis.call('ZADD', base .. 'marker', 0, '0')
  return {'released'}
end

if command == 'complete' then
  local ok, why = parse(ARGV[5])
  if not ok then return refuse('the result is not JSON: ' .. tostring(why)) end
  local code = finish(id, 'completed', 'returnvalue', ARGV[5])
  if code == -4 or code == -9 then return refuse('the job has children that have not completed') end
  return code == 0 and ended.completed or ended.lost
end

if command == 'fail' then
  local message, why = cut(ARGV[5]), ARGV[6] or ''
  local options = optionsOf(jobKey)
  local job = redis.call('HMGET', jobKey, 'atm', 'hw:cancel', 'ats')
  if why == 'cancel' then
    if job[2] ~= 'asked' then return refuse('nobody has cancelled the job') end
    return finalFailure(id, 'cancelled') == 0 and ended.failed or ended.lost
  elseif why == 'timeout' then
    local limit = settingOf(options, 'timeoutMs')
    if not limit then return refuse('the job has no time limit') end
    local text = string.format('exceeded its time limit of %d ms', limit)
    return finalFailure(id, text, 'timeout') == 0 and ended.failed or ended.lost
  elseif why ~= '' and why ~= 'permanent' then
    return refuse('the reason must be "permanent", "cancel" or "timeout", not "' .. why .. '"')
  end
  -- A job that was asked to stop gets no further attempt.
  local made, attempts = tonumber(job[1] or '0'), tonumber(options.attempts) or 1
  if why == 'permanent' or made + 1 >= attempts or job[2] == 'asked' then
    local code = finalFailure(id, message, why == 'permanent' and why or nil)
    return code == 0 and ended.failed or ended.lost
  end
  local backoff, delay = options.backoff, 0
  if type(backoff) == 'number' then backoff = {type = 'fixed', delay = backoff} end
  if type(backoff) == 'table' then
    delay = tonumber(backoff.delay) or 0
    if backoff.type == 'exponential' then delay = math.floor(delay * 2 ^ made + 0.5) end
    local jitter = tonumber(backoff.jitter) or 0
    if jitter > 0 then
      -- Redis begins each script with the same random numbers.
      math.randomseed(tonumber(time[2]))
      delay = math.floor(math.random() * delay * jitter + delay * (1 - jitter))
    end
  end
  local wait = string.format('%d', delay)
  local fields = cmsgpack.pack({'failedReason', message})
  local code
  if delay > 0 then
    code = moveToDelayed(
      keysOf('marker', 'active', 'prioritized', 'delayed', id, 'events', 'meta', 'stalled', 'wait', 'limiter', 'pc'),
      {base, now, id, token, wait, '0', fields, '0', ''})
  else
    code = retryJob(
      keysOf('active', 'wait', 'paused', id, 'meta', 'events', 'delayed', 'prioritized', 'pc', 'marker', 'stalled'),
      {base, now, options.lifo == true and 'RPUSH' or 'LPUSH', id, token, fields})
  end
  return code == 0 and {'retry', wait} or ended.lost
end

if command == 'progress' then
  if #ARGV[5] > MAX_PROGRESS then return refuse('the progress has more than ' .. MAX_PROGRESS .. ' bytes') end
  local ok, value = parse(ARGV[5])
  if not ok then return refuse('the progress is not JSON: ' .. tostring(value)) end
  local isObject = type(value) == 'table' and string.find(ARGV[5], '^%s*{')
  if type(value) ~= 'number' and not isObject then return refuse('the progress must be a number or an object') end
  if isObject and (value.jobId ~= nil or value.attempt ~= nil) then
    return refuse('the progress must not contain jobId or attempt')
  end
  updateProgress(keysOf(id, 'events', 'meta'), {id, ARGV[5]})
elseif command == 'log' then
  local first = tonumber(ARGV[5])
  if not whole(first, 1, 2 ^ 53) then return refuse('the number of the first line must be a whole number from 1') end
  local source, number = string.match(redis.call('HGET', jobKey, 'hw:said') or '', '^(%S+) (%d+)$')
  local written = source == token and tonumber(number) or 0
  if first > written + 1 then
    return refuse(string.format('line %d is missing: the last one was %d', written + 1, written))
  end
  local lines = redis.call('LLEN', jobKey .. ':logs')
  local last = first + #ARGV - 6
  for n = math.max(first, written + 1), last do
    if lines < MAX_LINES then
      redis.call('RPUSH', jobKey .. ':logs', cut(ARGV[6 + n - first]))
    elseif lines == MAX_LINES then
      redis.call('RPUSH', jobKey .. ':logs', 'log limit of ' .. MAX_LINES .. ' lines reached; further lines are dropped')
    end
    lines = lines + 1
  end
  if last > written then
    redis.call('HSET', jobKey, 'hw:said', token .. ' ' .. string.format('%d', last))
    -- Tells the process that follows the queue. BullMQ writes no event for a line.
    redis.call('XADD', base .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'log', 'jobId', id)
  end
end

extendLock(keysOf(id .. ':lock', 'stalled'), {token, string.format('%d', lockMs), id})
checkStalled(MAX_STALLS)
if redis.call('HGET', jobKey, 'hw:cancel') == 'asked' then return {'cancel'} end
local limit = settingOf(optionsOf(jobKey), 'timeoutMs')
local began = tonumber(redis.call('HGET', jobKey, 'processedOn') or now)
if limit and nowMs - began >= limit then return {'timeout'} end
return {'ok'}
