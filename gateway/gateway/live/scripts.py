"""The two steps in Redis that must not be torn apart. A topic has keys for state, history, events seen."""

PUBLISH = """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', 0)
end
if redis.call('ZSCORE', KEYS[3], ARGV[2]) then
  return 0
end
local most = tonumber(ARGV[4])
local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', most, string.format('%d-0', offset), 'p', ARGV[3])
redis.call('ZADD', KEYS[3], offset, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', offset - most)
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[7], epoch .. ' ' .. string.format('%d', offset) .. ' ' .. ARGV[3])
return offset
"""
"""ARGV: an epoch to begin with, event, entry, how many to keep, seconds of history and state, channel.

Gives the entry its offset and tells it; 0 when the event was there already.
"""

READ = """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local offset = tonumber(redis.call('HGET', KEYS[1], 'offset') or '0')
local since = tonumber(ARGV[3])
if epoch and ARGV[4] == '1' and epoch == ARGV[2] and offset < since then
  epoch = false
end
if not epoch then
  epoch, offset = ARGV[1], 0
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', 0)
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
local complete, entries = 0, {}
if ARGV[2] == epoch and since <= offset then
  if since < offset then
    entries = redis.call('XRANGE', KEYS[2], string.format('%d-0', since + 1), '+')
  end
  if #entries == offset - since then
    complete = 1
  else
    entries = {}
  end
end
return {epoch, offset, complete, entries}
"""
"""ARGV: an epoch to begin with, epoch and offset that the reader has, whether to trust it, seconds of state.

All that came after, or word that this is not known any more. When a trusted reader has more than Redis, Redis
went back to an older state: then a new epoch begins, because offsets would come twice.
"""
