-- Who is in a channel, of every node that spoke of it lately.
-- KEYS[1]  the channel's connections: a hash of node to "time connections members"
-- ARGV     how long a node is counted, ms
-- returns  node, connections, members of each
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local at, count, members = string.match(all[i + 1], '^(%d+) (%d+) (.*)$')
    if now - at <= tonumber(ARGV[1]) then found[#found + 1] = { all[i], count, members } end
end
return found
