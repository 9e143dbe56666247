-- Notes who is in a room on a node, and tells the others.
--
-- KEYS  versions by node, users of the node
-- ARGV  1 node   2 life (ms)   3 whether these are all (0, 1)   4 channel, 5 command to publish with   6 note
--       7, 8, ... user and what is said of it, nothing for one that has left
-- gives the version, and how many users are on the node
local step = 1
if ARGV[3] == '1' then
  redis.call('DEL', KEYS[2])
  step = 2 -- the others read all of it
end
for i = 7, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
local version = redis.call('HINCRBY', KEYS[1], ARGV[1], step)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call(ARGV[5], ARGV[4], struct.pack('>I8I8I4I8', 0, 1, 0, version) .. ARGV[6])
return {version, redis.call('HLEN', KEYS[2])}
