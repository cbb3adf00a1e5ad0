-- Accepts a message of a channel, keeps it and tells the followers.
-- KEYS[1]  the channel's count: a hash of epoch and offset
-- KEYS[2]  what is kept: a stream, or a hash of the newest of each key
-- KEYS[3]  offsets of the keys, where the newest of each is kept
-- KEYS[4]  where a repeated publication is known
-- KEYS[5]  there while nodes give back what was lost
-- ARGV     an epoch to begin with; the epoch that the publisher knows, or ''; mode; most kept; time they are
--          kept, ms; key; body; time, microseconds; 1 if it may be a repeated one; how long that is known, ms;
--          pub/sub channel; the offset that the publisher knows
-- returns  what became of it, epoch, offset
local fresh, known, mode, size, ttl = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local key, body, at = ARGV[6], ARGV[7], ARGV[8]
local epoch = redis.call('HGET', KEYS[1], 'e')
-- another node may still know more than those that have spoken: an offset is never given twice
if redis.call('EXISTS', KEYS[5]) == 1 then return {'lost', '', '0'} end
if epoch and epoch == known and tonumber(redis.call('HGET', KEYS[1], 'o')) < tonumber(ARGV[12]) then
    return {'lost', '', '0'}
end
if not epoch then
    if known ~= '' then return {'lost', '', '0'} end
    epoch = fresh
    redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0)
end
if ARGV[9] == '1' then
    local seen = redis.call('GET', KEYS[4])
    if seen then return {'duplicate', epoch, seen} end
end
local offset = redis.call('HINCRBY', KEYS[1], 'o', 1)
local record = string.format('%d %s %d %s', offset, at, #key, key) .. body
if size > 0 then
    if mode == 'stream' then
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', size, offset .. '-0', 'r', record)
    else
        redis.call('HSET', KEYS[2], key, record)
        redis.call('ZADD', KEYS[3], offset, key)
        local over = redis.call('ZCARD', KEYS[3]) - size
        if over > 0 then
            local gone = redis.call('ZPOPMIN', KEYS[3], over)
            for i = 1, #gone, 2 do redis.call('HDEL', KEYS[2], gone[i]) end
        end
        redis.call('PEXPIRE', KEYS[3], ttl)
    end
    redis.call('PEXPIRE', KEYS[2], ttl)
end
-- the count outlives what is kept, so that a client that comes back learns how much it missed
redis.call('PEXPIRE', KEYS[1], ttl + 86400000)
if ARGV[9] == '1' then redis.call('SET', KEYS[4], offset, 'PX', ARGV[10]) end
redis.call('PUBLISH', ARGV[11], 'p' .. epoch .. ' ' .. record)
return {'new', epoch, tostring(offset)}
