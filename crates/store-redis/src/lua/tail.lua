-- What is kept of a channel.
-- KEYS[1]  the channel's count
-- KEYS[2]  what is kept
-- ARGV     an epoch to begin with; mode; most kept; time the count is kept, ms
-- returns  epoch, offset, records
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
    epoch = ARGV[1]
    redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0)
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local records = {}
if tonumber(ARGV[3]) > 0 then
    if ARGV[2] == 'stream' then
        for _, entry in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[3])) do
            records[#records + 1] = entry[2][2]
        end
    else
        records = redis.call('HVALS', KEYS[2])
    end
end
return {epoch, redis.call('HGET', KEYS[1], 'o'), records}
