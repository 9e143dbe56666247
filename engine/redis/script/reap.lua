-- Forgets users of a node that does not live any more.
--
-- KEYS  as of census.lua
-- ARGV  1 node   2 how many users at the most
-- gives how many are left
for _, user in ipairs(redis.call('SPOP', KEYS[2], ARGV[2])) do
  if redis.call('HINCRBY', KEYS[1], user, -1) <= 0 then redis.call('HDEL', KEYS[1], user) end
end
local left = redis.call('SCARD', KEYS[2])
if left == 0 then redis.call('SREM', KEYS[3], ARGV[1]) end
return left
