"""What runs within Redis: how messages are numbered and kept there.

Each script is one step for all processes, and for Redis's own log. The keys:

``PREFIX:state``
    A hash: the *epoch*, a name that is new whenever everything else is; *serial*, the
    number of the newest message; *run*, the Redis process that was seen last; *floor*,
    below which it numbers no message; and *forgotten*, the newest message of all
    channels that are not kept any more.
``PREFIX:news``
    A stream of all messages, short: what a process reads that is there all the time.
    Each says which number was given before it, so that nobody misses one unknowingly.
``PREFIX:channel:NAME``
    A stream for each channel: its history. Each message says which one was before it.
``PREFIX:channels``
    The channels by the time of their last message.
``PREFIX:publisher:ID``
    The last batch of a process, and the numbers it was given. Whoever does not know
    whether a batch has arrived sends it again: it is then not published again.

Entries are numbered ``SERIAL-0``. When Redis has begun anew, messages are numbered
from its clock on: it may have lost some whose numbers must not come again.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HELLO", "LOAD", "PUBLISH"]

# KEYS: the state. ARGV: an epoch, should there be none; the run. What counts is read
# into local variables.
_STATE: Final = """
local function text(number) return string.format('%.0f', number) end
local now = redis.call('TIME')
local clock = tonumber(now[1]) * 1000000 + tonumber(now[2])
local state = redis.call('HMGET', KEYS[1], 'epoch', 'serial', 'floor', 'forgotten',
                         'run')
local epoch, serial, forgotten = state[1], tonumber(state[2]), tonumber(state[4])
local floor = tonumber(state[3])
if not epoch then
  epoch, serial, floor, forgotten = ARGV[1], clock, clock, clock
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'serial', text(clock), 'floor',
             text(clock), 'forgotten', text(clock), 'run', ARGV[2])
elseif state[5] ~= ARGV[2] then
  floor = clock
  redis.call('HSET', KEYS[1], 'floor', text(clock), 'run', ARGV[2])
end
"""

#: Tells the epoch and the number of the newest message.
HELLO: Final = _STATE + "return {epoch, text(serial)}"

#: KEYS: also the channels. ARGV: also how many, and from which number on, for each.
#: Tells, besides, of each channel the number of the message before those that follow,
#: should one be missing, and these: number and text in turn.
LOAD: Final = (
    _STATE
    + """
local found = {epoch, text(serial)}
for i = 2, #KEYS do
  local entries = redis.call('XREVRANGE', KEYS[i], '+', ARGV[i + 2], 'COUNT', ARGV[3])
  local before = text(forgotten)
  if #entries > 0 then
    before = string.match(entries[#entries][2][2], '%d+')
  elseif redis.call('EXISTS', KEYS[i]) == 1 then
    before = '0'
  end
  local flat = {before}
  for j = #entries, 1, -1 do
    flat[#flat + 1] = entries[j][1]
    flat[#flat + 1] = entries[j][2][2]
  end
  found[#found + 1] = flat
end
return found
"""
)

#: KEYS: also news, channels, publisher. ARGV: also the number of the batch; what the
#: names of the channels' keys begin with; how many messages a channel keeps, and how
#: many are kept of all; seconds after which a channel is forgotten; for how many the
#: batch is remembered; then, for each message, the channel and the text. Tells the
#: epoch, and the number before that of the first message.
PUBLISH: Final = (
    _STATE
    + """
local before = redis.call('GET', KEYS[4])
if before then
  local batch, its_epoch, start = string.match(before, '(%S+) (%S+) (%S+)')
  if batch == ARGV[3] then return {its_epoch, start} end
end
local start = math.max(serial, floor)
local number = start
-- First: should what follows fail, no number is given twice.
redis.call('HSET', KEYS[1], 'serial', text(start + (#ARGV - 8) / 2))
for i = 9, #ARGV, 2 do
  local name, json = ARGV[i], ARGV[i + 1]
  local key = ARGV[4] .. name
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  local last = newest and string.match(newest[1], '%d+') or text(forgotten)
  number = number + 1
  local id = text(number) .. '-0'
  redis.call('XADD', key, 'MAXLEN', '=', ARGV[5], id, 'm', last .. ' ' .. json)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], id, 'm',
             text(serial) .. ' ' .. #name .. ' ' .. name .. json)
  redis.call('ZADD', KEYS[3], clock / 1000000, name)
  serial = number
end
local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf',
                       clock / 1000000 - ARGV[7], 'LIMIT', 0, #ARGV)
for _, name in ipairs(old) do
  local newest = redis.call('XREVRANGE', ARGV[4] .. name, '+', '-', 'COUNT', 1)[1]
  if newest then
    forgotten = math.max(forgotten, tonumber(string.match(newest[1], '%d+')))
  end
  redis.call('DEL', ARGV[4] .. name)
  redis.call('ZREM', KEYS[3], name)
end
if #old > 0 then redis.call('HSET', KEYS[1], 'forgotten', text(forgotten)) end
redis.call('SET', KEYS[4], ARGV[3] .. ' ' .. epoch .. ' ' .. text(start), 'EX', ARGV[8])
return {epoch, text(start)}
"""
)
