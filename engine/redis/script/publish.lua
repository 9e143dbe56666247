-- Stores one message of a room, once, and publishes it; everything or nothing.
--
-- KEYS  meta, stream, newest per event, order of events[, key or producer]
-- ARGV  1 epoch for a room that has none   2, 3 id (upper and lower 32 bits)   4 body   5 size
--       6 messages, 7 bytes, 8 age (ms), 9 latest (0, 1): retention   10 life (ms; 0: for ever)
--       11 channel, 12 command to publish with   13 event
--       14 k, p or nothing: what KEYS[5] is   15 sequence   16 whether it may be new (0, 1)   17 its life (ms)
-- gives "s" and the stamp where it stands now; "d" and the stamp where it had been stored; "o": out of order;
--       "q": no more keys
local META, STAMP = '>c8I8I4I8I8I4I8I8I8I8I8B', '>c8I8I4I8'
local WINDOW, MAX_LATEST = 256, 256

local time = redis.call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)

local epoch, offset, check, last, base, baseCheck, oldest, bytes, messages, maxBytes, age, latest
local meta = redis.call('GET', KEYS[1])
if meta then
  epoch, offset, check, last, base, baseCheck, oldest, bytes, messages, maxBytes, age, latest = struct.unpack(META, meta)
else
  epoch, offset, check, last, base, baseCheck = ARGV[1], 0, 0, 0, 0, 0
  oldest, bytes, messages, maxBytes, age, latest = 0, 0, 0, 0, 0, 0
end
local now = math.max(wall, last)

-- Was it stored before?
local mode, sequence = ARGV[14], 0
if mode == 'k' then
  local known = redis.call('GET', KEYS[5])
  if known then return 'd' .. known end
  if ARGV[16] == '0' then return 'q' end
elseif mode == 'p' then
  sequence = tonumber(ARGV[15])
  local head = redis.call('GETRANGE', KEYS[5], 0, 15)
  local previous, of = 0, nil
  if #head == 16 then
    of, previous = struct.unpack('>c8I8', head)
    if of ~= epoch then of, previous = nil, 0 end
  end
  if sequence >= 1 and sequence <= previous then
    redis.call('PEXPIRE', KEYS[5], ARGV[17])
    if sequence <= previous - WINDOW then return 'd' end
    local at = 16 + sequence % WINDOW * 20
    return 'd' .. epoch .. redis.call('GETRANGE', KEYS[5], at, at + 19)
  end
  if sequence ~= previous + 1 then return 'o' end
  if not of and ARGV[16] == '0' then return 'q' end
end

-- Lets go what passes a bound.
local function trim(messages, maxBytes, age)
  if messages == 0 and base < offset then
    redis.call('DEL', KEYS[2])
    base, baseCheck, bytes = offset, check, 0
  end
  while base < offset do
    local small = offset - base <= messages and (maxBytes == 0 or bytes <= maxBytes)
    if small and (age == 0 or now - oldest <= age) then return end
    local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    if not entry then -- the server has given it up
      base, baseCheck, bytes = offset, check, 0
      return
    end
    local entryCheck, entryTime, size = struct.unpack('>I4I8I4', entry[2][2])
    oldest = entryTime -- or later: the next one is not looked at until it may be too old
    if small and now - entryTime <= age then return end
    redis.call('XDEL', KEYS[2], entry[1])
    base, baseCheck, bytes = tonumber(string.match(entry[1], '^%d+')), entryCheck, bytes - size
  end
end

if not meta then redis.call('DEL', KEYS[2], KEYS[3], KEYS[4]) end -- what is left of another epoch
trim(messages, maxBytes, age) -- what has left does not come back with a wider bound

-- The next position: protocol.Position.Next.
local x = bit.tobit(bit.bxor(bit.tobit(check), bit.tobit(tonumber(ARGV[3]))) + tonumber(ARGV[2]))
x = bit.bxor(x, bit.lshift(x, 13))
x = bit.bxor(x, bit.rshift(x, 17))
x = bit.bxor(x, bit.lshift(x, 5))
offset, check = offset + 1, x % 4294967296
local stamp = struct.pack(STAMP, epoch, offset, check, now)

local before = latest
messages, maxBytes, age, latest = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local fresh = not meta or math.floor(now / 60000) ~= math.floor(last / 60000) or latest ~= before
if messages > 0 then
  if base == offset - 1 then oldest, fresh = now, true end
  redis.call('XADD', KEYS[2], string.format('%.0f-0', offset), 'h', struct.pack('>I4I8I4', check, now, ARGV[5]), 'd', ARGV[4])
  bytes = bytes + ARGV[5]
end
trim(messages, maxBytes, age)
if latest == 1 then
  redis.call('HSET', KEYS[3], ARGV[13], stamp .. ARGV[4])
  redis.call('ZADD', KEYS[4], offset, ARGV[13])
  if redis.call('ZCARD', KEYS[4]) > MAX_LATEST then
    redis.call('HDEL', KEYS[3], redis.call('ZPOPMIN', KEYS[4])[1])
  end
elseif before == 1 then
  redis.call('DEL', KEYS[3], KEYS[4])
end

meta = struct.pack(META, epoch, offset, check, now, base, baseCheck, oldest, bytes, messages, maxBytes, age, latest)
if ARGV[10] == '0' then
  redis.call('SET', KEYS[1], meta)
else
  redis.call('SET', KEYS[1], meta, 'PX', ARGV[10])
end
if fresh then -- they outlive the meta, which alone says what they are
  for i = 2, 4 do
    if ARGV[10] == '0' then
      redis.call('PERSIST', KEYS[i])
    else
      redis.call('PEXPIRE', KEYS[i], ARGV[10] + 180000)
    end
  end
end

if mode == 'k' then
  redis.call('SET', KEYS[5], stamp, 'PX', ARGV[17])
elseif mode == 'p' then
  redis.call('SETRANGE', KEYS[5], 0, struct.pack('>c8I8', epoch, sequence))
  redis.call('SETRANGE', KEYS[5], 16 + sequence % WINDOW * 20, string.sub(stamp, 9))
  redis.call('PEXPIRE', KEYS[5], ARGV[17])
end
redis.call(ARGV[12], ARGV[11], stamp .. ARGV[4])
return 's' .. stamp
