-- Gives back what was lost of a stream: all of it where there is no count, the newer part where the count is
-- of the same epoch and lower; told to the followers, who know what they have.
-- KEYS[1]  the channel's count
-- KEYS[2]  what is kept
-- KEYS[3]  there while nodes give back: nothing new is accepted meanwhile
-- ARGV     epoch, offset, most kept, time they are kept (ms), pub/sub channel, how long nodes give back (ms), then offset and record of each
local epoch, offset = ARGV[1], tonumber(ARGV[2])
local has = redis.call('HMGET', KEYS[1], 'e', 'o')
if has[1] and (has[1] ~= epoch or tonumber(has[2]) >= offset) then return 0 end
if not has[1] then redis.call('SET', KEYS[3], 1, 'PX', ARGV[6]) end
local from = tonumber(has[2]) or 0
local size, ttl = tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 7, #ARGV, 2 do
    if tonumber(ARGV[i]) > from then
        if size > 0 then redis.call('XADD', KEYS[2], 'MAXLEN', '~', size, ARGV[i] .. '-0', 'r', ARGV[i + 1]) end
        redis.call('PUBLISH', ARGV[5], 'p' .. epoch .. ' ' .. ARGV[i + 1])
    end
end
redis.call('HSET', KEYS[1], 'e', epoch, 'o', offset)
redis.call('PEXPIRE', KEYS[1], ttl + 86400000)
if size > 0 then redis.call('PEXPIRE', KEYS[2], ttl) end
return 1
