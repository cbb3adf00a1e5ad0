-- How many connections all nodes but one have in a channel.
-- KEYS[1]  the channel's connections: a hash of node to "time connections members"
-- ARGV     the node that is not counted; how long a node is counted, ms
-- returns  their number
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sum = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local at, count = string.match(all[i + 1], '^(%d+) (%d+) ')
    if all[i] ~= ARGV[1] and now - at <= tonumber(ARGV[2]) then sum = sum + count end
end
return sum
