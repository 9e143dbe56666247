-- Forgets users of a node that does not live any more.
--
-- KEYS  as of census.lua
-- ARGV  1 node   2 how many users at the most
-- gives how many are left; none of a node that lives, which may have come back while others were forgetting its users
local time = redis.call('TIME')
local ends = redis.call('ZSCORE', KEYS[4], ARGV[1])
if ends and tonumber(ends) > time[1] * 1000 + math.floor(time[2] / 1000) then return 0 end
for _, user in ipairs(redis.call('SPOP', KEYS[2], ARGV[2])) do
  if redis.call('HINCRBY', KEYS[1], user, -1) <= 0 then redis.call('HDEL', KEYS[1], user) end
end
local left = redis.call('SCARD', KEYS[2])
if left == 0 then redis.call('SREM', KEYS[3], ARGV[1]) end
return left
