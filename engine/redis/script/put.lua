-- Stores a record until it expires, or removes it where that is over, and tells every node.
--
-- KEYS  records, their expiry
-- ARGV  1 name   2 value   3 expiry (Unix ms)   4 now (Unix ms)   5 how many there may be
--       6 channel, 7 command to publish with
-- gives 1, or 0 when there are too many
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4], 'LIMIT', 0, 1000)
if #old > 0 then
  redis.call('HDEL', KEYS[1], unpack(old))
  redis.call('ZREM', KEYS[2], unpack(old))
end
if tonumber(ARGV[3]) <= tonumber(ARGV[4]) then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call(ARGV[7], ARGV[6], ARGV[2])
  return 1
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call(ARGV[7], ARGV[6], ARGV[2])
return 1
