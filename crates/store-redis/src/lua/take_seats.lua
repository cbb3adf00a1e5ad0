-- A node has so many connections in a channel from now on, if all nodes' are not too many then.
-- KEYS[1]  the channel's connections: a hash of node to "time connections members"
-- ARGV     node; its connections; most of all nodes, or -1; how long a node is counted, ms; 1 if its members
--          follow; these
-- returns  1, or 0 when there are too many
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, mine, most, held = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local sum, members = mine, ''
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local at, count, rest = string.match(all[i + 1], '^(%d+) (%d+) (.*)$')
    if all[i] == node then
        members = rest
    elseif now - at > held then
        redis.call('HDEL', KEYS[1], all[i])
    else
        sum = sum + count
    end
end
if most >= 0 and sum > most then return 0 end
if ARGV[5] == '1' then members = ARGV[6] end
if mine == 0 then
    redis.call('HDEL', KEYS[1], node)
else
    redis.call('HSET', KEYS[1], node, string.format('%.0f %d ', now, mine) .. members)
    redis.call('PEXPIRE', KEYS[1], held)
end
return 1
