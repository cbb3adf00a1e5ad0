-- One event under a key: the sliding-window arithmetic of orrery-identity's `rate`, on the state kept
-- here. Numbers stay whole and below 2^53.
-- KEYS[1]  the key
-- ARGV     count (1: take, 0: peek), now, max, window, delay (1 or 0), first, most; times in microseconds
-- returns  allowed, remaining, wait
local count, now, max, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local delay, first, most = ARGV[5] == '1', tonumber(ARGV[6]), tonumber(ARGV[7])
local kept = redis.call('HMGET', KEYS[1], 's', 'c', 'p', 'l')
local start, current = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local previous, last = tonumber(kept[3]) or 0, tonumber(kept[4]) or 0

local function ceil_div(a, b) return math.floor((a + b - 1) / b) end

local elapsed = math.max(now - start, 0)
if elapsed >= window * 2 then
    start, current, previous = now, 0, 0
elseif elapsed >= window then
    start, previous, current = start + window, current, 0
end
elapsed = math.min(math.max(now - start, 0), math.max(window, 1))

local allowed, used, wait
if not delay then
    used = current + ceil_div(previous * (window - elapsed), window)
    if used < max then
        allowed, wait = 1, window - elapsed
    else
        local function share_falls(before, room)
            if before <= room then return 0 end
            return ceil_div(window * (before - room), before)
        end
        if max == 0 then
            wait = window
        elseif current < max then
            wait = math.max(share_falls(previous, max - 1 - current) - elapsed, 0)
        else
            wait = (window - elapsed) + share_falls(current, max - 1)
        end
        allowed, wait = 0, math.max(wait, 1000000)
    end
else
    used = current + previous
    if used < max then
        allowed, wait = 1, 0
    else
        local due = math.min(first * 2 ^ math.min(used - max, 31), most)
        local waited = math.max(now - last, 0)
        if waited >= due then
            allowed, wait = 1, 0
        else
            allowed, wait = 0, math.max(due - waited, 1000000)
        end
    end
end
local remaining = math.max(max - used, 0)
if count == 1 then
    if allowed == 1 then
        current, last = current + 1, math.max(last, now)
        remaining = math.max(remaining - 1, 0)
    end
    redis.call('HSET', KEYS[1], 's', string.format('%.0f', start), 'c', current, 'p', previous,
        'l', string.format('%.0f', last))
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((window * 2 + most) / 1000) + 1000))
end
return {allowed, remaining, string.format('%.0f', wait)}
