-- Adds up what a user spends on all nodes: the generic cell rate algorithm, with a time for each kind of expense at which
-- everything has come back.
--
-- KEYS  account: those times (Unix us) by the number of their kind, and the connections to each node by n: and its name
-- ARGV  1 node   2 connections to it   3 nodes that live, with spaces between them
--       4, 5; 6, 7; ... of each kind what was spent and the most that may be outstanding (us)
-- gives what is outstanding of each kind (us), and the connections to other nodes
local SHORT, LONG = 600000, 86400000 -- ms that it is kept: for rates, for connections
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, life = {}, SHORT
for i = 4, #ARGV, 2 do
  local kind, cost, most = (i - 4) / 2, tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local at = math.max(tonumber(redis.call('HGET', KEYS[1], kind) or 0), now)
  if cost > 0 then
    at = math.max(at, math.min(at + cost, now + most))
    redis.call('HSET', KEYS[1], kind, string.format('%.0f', at))
  end
  life = math.max(life, math.ceil((at - now) / 1000))
  answer[#answer + 1] = at - now
end
local own, living, elsewhere = 'n:' .. ARGV[1], {}, 0
for node in string.gmatch(ARGV[3], '%S+') do living['n:' .. node] = true end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], own)
else
  redis.call('HSET', KEYS[1], own, ARGV[2])
  life = LONG
end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if living[fields[i]] then
    elsewhere, life = elsewhere + tonumber(fields[i + 1]), LONG
  elseif fields[i] ~= own and string.sub(fields[i], 1, 2) == 'n:' then
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
redis.call('PEXPIRE', KEYS[1], life)
answer[#answer + 1] = elsewhere
return answer
