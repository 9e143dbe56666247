-- Notes who is on a node, and counts the users of all nodes.
--
-- KEYS  on how many nodes each user is, users of the node, nodes that have users, nodes by the end of their lease (Unix ms)
-- ARGV  1 node   2 whether those who came are all (0, 1)   3, 4, ... + or -, and a user
-- gives how many users there are, and how many on the node; nothing where the node has no lease: its users may be being
--       forgotten
local time = redis.call('TIME')
local ends = redis.call('ZSCORE', KEYS[4], ARGV[1])
if not ends or tonumber(ends) <= time[1] * 1000 + math.floor(time[2] / 1000) then return {} end
local function remove(user)
  if redis.call('SREM', KEYS[2], user) == 1 and redis.call('HINCRBY', KEYS[1], user, -1) <= 0 then
    redis.call('HDEL', KEYS[1], user)
  end
end
if ARGV[2] == '1' then
  for _, user in ipairs(redis.call('SMEMBERS', KEYS[2])) do remove(user) end
end
for i = 3, #ARGV, 2 do
  if ARGV[i] == '-' then
    remove(ARGV[i + 1])
  elseif redis.call('SADD', KEYS[2], ARGV[i + 1]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[i + 1], 1)
  end
end
redis.call('SADD', KEYS[3], ARGV[1])
return {redis.call('HLEN', KEYS[1]), redis.call('SCARD', KEYS[2])}
