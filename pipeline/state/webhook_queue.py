"""Webhook deliveries in Redis until they are accepted or given up; each host has a queue of its own.

One thing at a time is told to a host, whichever workers there are, and a host that does not answer is left alone
for a while: so one that is slow or dead costs a thread now and then, and never keeps another host waiting. Times are
Redis's own, so no two machines need agree on them.
"""

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from pipeline.settings import settings
from pipeline.types import Model

HOSTS = "duet:webhooks:hosts"
"""Hosts by when something is to be told to them next."""
MESSAGES = "duet:webhooks:messages"
"""What is to be told, by its id."""
BELL = "duet:webhooks:bell"
"""The channel that says that there is something to tell."""
TURN_S = 60.0
"""How long a turn lasts at most: whoever takes one and dies gives it up then."""
GROWTH = 4.0
MOST_WAIT_S = 3600.0
MOST_SILENCE_S = 60.0
"""A host that does not answer is asked again at least this often, as long as there is something to tell it."""
KEPT_S = 24 * 3600.0
"""Age at which something is given up, however often it was tried: a host that is gone must not fill Redis."""


class Delivery(Model):
    """One message to one address; a receiver recognises a duplicate by its id."""

    id: str
    url: str
    body: str
    """JSON: `type`, `timestamp`, `data`."""
    tries: int = Field(default=0, ge=0)
    """How often it was told, and not understood."""

    @property
    def host(self) -> str:
        """The host and port that it goes to."""
        return urlsplit(self.url).netloc.rpartition("@")[2].lower()


@dataclass(frozen=True)
class Turn:
    """The right to tell one thing to a host, while nobody else tells it anything."""

    delivery: Delivery
    token: str
    is_too_old: bool
    """Whether it has waited for longer than it is kept."""


_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function queue(host) return 'duet:webhooks:of:' .. host end
local function turn(host) return 'duet:webhooks:turn:' .. host end
"""
# KEYS: hosts, messages, bell. ARGV: host, id, message.
_ADD = (
    _NOW
    + """
if redis.call('HSETNX', KEYS[2], ARGV[2], string.format('%.3f', now) .. ' ' .. ARGV[3]) == 0 then return 0 end
redis.call('ZADD', queue(ARGV[1]), now, ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PUBLISH', KEYS[3], ARGV[1])
return 1
"""
)
# KEYS: hosts, messages. ARGV: token, milliseconds of a turn. Returns message and age, or the seconds to wait, or ''.
_TAKE = (
    _NOW
    + """
while true do
  local host = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
  if not host then break end
  local closed_ms = redis.call('PTTL', turn(host))
  local first = redis.call('ZRANGE', queue(host), 0, 0, 'WITHSCORES')
  if not first[1] then
    redis.call('ZREM', KEYS[1], host)
  elseif closed_ms > 0 then
    redis.call('ZADD', KEYS[1], now + closed_ms / 1000, host)
  elseif tonumber(first[2]) > now then
    redis.call('ZADD', KEYS[1], first[2], host)
  else
    local message = redis.call('HGET', KEYS[2], first[1])
    if message then
      redis.call('SET', turn(host), ARGV[1], 'PX', ARGV[2])
      redis.call('ZADD', KEYS[1], now + ARGV[2] / 1000, host)
      local at, text = string.match(message, '^(%S+) (.*)$')
      return {text, tostring(now - at)}
    end
    redis.call('ZREM', queue(host), first[1])
  end
end
local following = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
return {'', following and tostring(following - now) or ''}
"""
)
# KEYS: hosts, messages, bell. ARGV: host, id, token, message to tell again ('' for none), in how many seconds,
# milliseconds for which nothing is told to the host.
_END = (
    _NOW
    + """
local kept = redis.call('HGET', KEYS[2], ARGV[2])
if ARGV[4] == '' then
  redis.call('ZREM', queue(ARGV[1]), ARGV[2])
  redis.call('HDEL', KEYS[2], ARGV[2])
elseif kept then
  redis.call('HSET', KEYS[2], ARGV[2], string.match(kept, '^%S+') .. ' ' .. ARGV[4])
  redis.call('ZADD', queue(ARGV[1]), now + ARGV[5], ARGV[2])
end
if redis.call('GET', turn(ARGV[1])) ~= ARGV[3] then return end
if tonumber(ARGV[6]) > 0 then redis.call('SET', turn(ARGV[1]), 'silent', 'PX', ARGV[6])
else redis.call('DEL', turn(ARGV[1])) end
local first = redis.call('ZRANGE', queue(ARGV[1]), 0, 0, 'WITHSCORES')
if not first[1] then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], math.max(first[2], now + ARGV[6] / 1000), ARGV[1])
  redis.call('PUBLISH', KEYS[3], ARGV[1])
end
"""
)


class WebhookQueue:
    """The queues of all hosts."""

    def __init__(self, client: Any) -> None:
        self.redis = client
        self._add = client.register_script(_ADD)
        self._take = client.register_script(_TAKE)
        self._end = client.register_script(_END)

    def add(self, delivery: Delivery) -> bool:
        """Queue a delivery; False when it is queued already."""
        keys, own = [HOSTS, MESSAGES, BELL], [delivery.host, delivery.id, delivery.model_dump_json()]
        return bool(self._add(keys, own))

    def take(self) -> Turn | float | None:
        """Return whose turn it is; else the seconds until somebody's is, or None where there is nothing to tell."""
        token = uuid.uuid4().hex
        text, number = self._take([HOSTS, MESSAGES], [token, int(TURN_S * 1000)])
        if text:
            return Turn(Delivery.from_json(text), token, is_too_old=float(number) > KEPT_S)
        return float(number) if number else None

    def end(self, turn: Turn, *, is_silent: bool = False) -> None:
        """End a turn: its delivery is accepted, or given up.

        Args:
            turn: the turn.
            is_silent: the host did not answer: nothing is told to it for a while, the longer the more often in a row
                that was so.
        """
        self._close(turn, "", 0.0, self._pause_s(turn, is_silent))

    def postpone(self, turn: Turn, *, is_silent: bool = False) -> float:
        """End a turn after which the same is to be told again, and return in how many seconds at the soonest."""
        delivery = turn.delivery.model_copy(update={"tries": turn.delivery.tries + 1})
        delay_s, pause_s = _wait_s(delivery.tries, MOST_WAIT_S), self._pause_s(turn, is_silent)
        self._close(turn, delivery.model_dump_json(), delay_s, pause_s)
        return max(delay_s, pause_s)

    def _pause_s(self, turn: Turn, is_silent: bool) -> float:
        key = f"duet:webhooks:silence:{turn.delivery.host}"
        if not is_silent:
            self.redis.delete(key)
            return 0.0
        with self.redis.pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, int(KEPT_S))
            return _wait_s(int(pipe.execute()[0]), MOST_SILENCE_S)

    def _close(self, turn: Turn, message: str, delay_s: float, pause_s: float) -> None:
        own = [turn.delivery.host, turn.delivery.id, turn.token, message, delay_s, int(pause_s * 1000)]
        self._end([HOSTS, MESSAGES, BELL], own)


def _wait_s(times: int, most_s: float) -> float:
    """Return the seconds to wait after so many times in a row."""
    return float(min(settings().webhook_backoff_s * GROWTH ** min(times - 1, 20), most_s))
