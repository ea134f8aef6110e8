"""The Redis scripts that change a job; each is atomic."""

# KEYS: job, index, open, counts. ARGV: job, attempt to follow, now, spec, then count, amount, ...
# Only a caller that names the newest attempt begins the next one.
BEGIN = """
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt') or '0')
if attempt ~= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'attempt', attempt + 1, 'state', 'submitted', 'rank', 0, 'submitted_at', ARGV[3],
           'spec', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PUBLISH', KEYS[1], 'submitted')
for at = 5, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[4], ARGV[at], ARGV[at + 1]) end
return 1
"""
# KEYS: job, open, counts, webhooks, due. ARGV: attempt, state ('' for none), rank, job, the field that must be new for
# the counts to be added ('' for none), index of the last count, then count, amount, ..., then field, value, ...
# A final state never changes, and a job whose manifest is being written can no longer be cancelled.
ADVANCE = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
local rank = tonumber(redis.call('HGET', KEYS[1], 'rank'))
if rank >= 3 then return 0 end
if ARGV[2] ~= '' and tonumber(ARGV[3]) <= rank then return 0 end
if ARGV[2] == 'cancelled' and redis.call('HGET', KEYS[1], 'sealed') then return 0 end
local last = tonumber(ARGV[6])
if ARGV[5] == '' or redis.call('HEXISTS', KEYS[1], ARGV[5]) == 0 then
  for at = 7, last, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[at], ARGV[at + 1]) end
end
if #ARGV > last then redis.call('HSET', KEYS[1], unpack(ARGV, last + 1)) end
if tonumber(ARGV[3]) >= 3 then redis.call('SREM', KEYS[2], ARGV[4]) end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'rank', ARGV[3])
  redis.call('PUBLISH', KEYS[1], ARGV[2])
  if redis.call('EXISTS', KEYS[4]) == 1 then
    redis.call('SADD', KEYS[5], ARGV[4] .. ' ' .. ARGV[1] .. ' ' .. ARGV[2])
  end
end
return 1
"""

# KEYS: job, index. ARGV: attempt, state, now, spec, job, then field, value, ...
ADOPT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'state', ARGV[2], 'rank', 3, 'submitted_at', ARGV[3],
           'spec', ARGV[4], unpack(ARGV, 6))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[5])
return 1
"""

# KEYS: job, index, open, then the job's other keys. ARGV: job, attempt, latest end.
# Removes only a job that ended by then. It frees memory, so Redis allows it when its memory is full, too.
REMOVE = """
local attempt = redis.call('HGET', KEYS[1], 'attempt')
if attempt then
  if attempt ~= ARGV[2] or tonumber(redis.call('HGET', KEYS[1], 'rank')) < 3 then return 0 end
  local ended_at = redis.call('HGET', KEYS[1], 'ended_at') or redis.call('HGET', KEYS[1], 'submitted_at')
  if tonumber(ended_at) > tonumber(ARGV[3]) then return 0 end
end
redis.call('DEL', KEYS[1], unpack(KEYS, 4))
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
return 1
"""
