-- Publishes an ephemeral message: it is stored nowhere.
--
-- KEYS  meta
-- ARGV  1 body   2 channel   3 command to publish with
-- gives "s" and a stamp without a position
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('GETRANGE', KEYS[1], 20, 27)
if #meta == 8 then now = math.max(now, (struct.unpack('>I8', meta))) end
local stamp = struct.pack('>c8I8I4I8', '\0\0\0\0\0\0\0\0', 0, 0, now)
redis.call(ARGV[3], ARGV[2], stamp .. ARGV[1])
return 's' .. stamp
