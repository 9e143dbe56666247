-- Reads a part of a room's log. A room that is not there gets its epoch.
--
-- KEYS  meta, stream, newest per event, order of events
-- ARGV  1 epoch for a room that has none   2 life of a room in which nothing was stored (ms)
--       3 h (the head alone), s (since), b (before), t (the newest), l (the newest per event)
--       4 epoch, 5 offset, 6 check: the position of s and b, and of l where it is not empty
--       7 limit   8 bytes (0: no bound)
-- gives the stamp of the head, the offset of what left the log last, a reason or nothing, and the messages, each a
--       stamp and a body: ascending, but for b and t
local META = '>c8I8I4I8I8I4I8I8I8I8I8B'
local CHUNK = 64

local time = redis.call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)

local epoch, offset, check, last, base, baseCheck, oldest, bytes, messages, maxBytes, age, latest
local meta = redis.call('GET', KEYS[1])
if meta then
  epoch, offset, check, last, base, baseCheck, oldest, bytes, messages, maxBytes, age, latest = struct.unpack(META, meta)
else
  epoch, offset, check, last, base, baseCheck = ARGV[1], 0, 0, 0, 0, 0
  oldest, bytes, messages, maxBytes, age, latest = 0, 0, 0, 0, 0, 0
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
end
local function save(...)
  meta = struct.pack(META, epoch, offset, check, last, base, baseCheck, oldest, bytes, messages, maxBytes, age, latest)
  redis.call('SET', KEYS[1], meta, ...)
end
if offset == 0 then save('PX', ARGV[2]) end

local mode = ARGV[3]
local head = struct.pack('>c8I8I4I8', epoch, offset, check, last)
if mode == 'h' then return {head, '0', '', {}} end

-- Let go what is too old, and what the server has given up.
local now, changed = math.max(wall, last), false
if base < offset and redis.call('XLEN', KEYS[2]) ~= offset - base then
  redis.call('DEL', KEYS[2])
  base, baseCheck, bytes, changed = offset, check, 0, true
end
while base < offset and age > 0 and now - oldest > age do
  local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  local entryCheck, entryTime, size = struct.unpack('>I4I8I4', entry[2][2])
  oldest, changed = entryTime, true
  if now - entryTime <= age then break end
  redis.call('XDEL', KEYS[2], entry[1])
  base, baseCheck, bytes = tonumber(string.match(entry[1], '^%d+')), entryCheck, bytes - size
end
if changed then save('KEEPTTL') end

-- Is the position one of this log?
local at = tonumber(ARGV[5])
local function refuse()
  if ARGV[4] ~= epoch then return 'epoch' end
  if at > offset then return 'diverged' end
  if at < base then return 'expired' end
  local proof = check
  if at == base then
    proof = baseCheck
  elseif at < offset then
    local entry = redis.call('XRANGE', KEYS[2], ARGV[5] .. '-0', ARGV[5] .. '-0')[1]
    proof = struct.unpack('>I4', entry[2][2])
  end
  if proof ~= tonumber(ARGV[6]) then return 'diverged' end
  return ''
end

local reason = ''
if ARGV[4] ~= '' then reason = refuse() end
local entries = {}
if mode == 'l' then
  local from = '-inf'
  if ARGV[4] ~= '' and reason == '' then from = '(' .. ARGV[5] end
  for _, event in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], from, '+inf')) do
    entries[#entries + 1] = redis.call('HGET', KEYS[3], event)
  end
  return {head, string.format('%.0f', base), reason, entries}
end

-- Entries from one on, in the direction of the command, up to the limits.
local function take(command, from, to, step)
  local limit, size, most = tonumber(ARGV[7]), 0, tonumber(ARGV[8])
  while #entries < limit do
    local chunk = redis.call(command, KEYS[2], from, to, 'COUNT', math.min(CHUNK, limit - #entries))
    if #chunk == 0 then return end
    for _, entry in ipairs(chunk) do
      local _, _, s = struct.unpack('>I4I8I4', entry[2][2])
      size = size + s
      if most > 0 and size > most and #entries > 0 then return end
      local place = struct.pack('>c8I8', epoch, tonumber(string.match(entry[1], '^%d+')))
      entries[#entries + 1] = place .. string.sub(entry[2][2], 1, 12) .. entry[2][4]
    end
    from = string.format('%.0f-0', tonumber(string.match(chunk[#chunk][1], '^%d+')) + step)
  end
end

if reason == '' and mode == 's' then
  take('XRANGE', string.format('%.0f-0', at + 1), '+', 1)
elseif reason == '' and mode == 'b' then
  if at > base then take('XREVRANGE', string.format('%.0f-0', at - 1), '-', -1) end
elseif mode == 't' then
  take('XREVRANGE', '+', '-', -1)
end
return {head, string.format('%.0f', base), reason, entries}
