-- Renews the lease of a node.
--
-- KEYS  nodes by the end of their lease (Unix ms)
-- ARGV  1 node   2 lease (ms), 0 to look only
-- gives whether the node had one, and for each node that has one its name and how long that still is (ms)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
local had = 0
if ends and tonumber(ends) > now then had = 1 end
if ARGV[2] ~= '0' then redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], 86400000)
local nodes = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #nodes, 2 do nodes[i] = string.format('%.0f', tonumber(nodes[i]) - now) end
return {had, nodes}
