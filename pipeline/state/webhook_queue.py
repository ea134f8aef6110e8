"""Queues of webhook deliveries in Redis, one for each host, until they are accepted or dropped.

A host gets one delivery at a time from all workers together, and none for a while after it did not respond. So a slow
or dead host occupies at most one thread and never delays another host. Times are Redis's own, so that machines need
not agree on them.
"""

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from pipeline.settings import settings
from pipeline.types import Model

HOSTS = "duet:webhooks:hosts"
"""Sorted set of hosts by the time of their next delivery."""
MESSAGES = "duet:webhooks:messages"
"""Hash of the queued deliveries by id."""
BELL = "duet:webhooks:bell"
"""Channel on which a new delivery is published."""
TURN_S = 60.0
"""Longest duration of a turn in seconds, after which the turn of a dead process expires."""
GROWTH = 4.0
MOST_WAIT_S = 3600.0
MOST_SILENCE_S = 60.0
"""Longest pause in seconds of a host that does not respond, while it has deliveries."""
KEPT_S = 24 * 3600.0
"""Age in seconds at which a delivery is dropped whatever its tries, so that a dead host does not fill Redis."""


class Delivery(Model):
    """One delivery to one address; a receiver recognizes a duplicate by its id."""

    id: str
    url: str
    body: str
    """JSON: `type`, `timestamp`, `data`."""
    tries: int = Field(default=0, ge=0)
    """Number of failed tries."""

    @property
    def host(self) -> str:
        """Host and port of the address."""
        return urlsplit(self.url).netloc.rpartition("@")[2].lower()


@dataclass(frozen=True)
class Turn:
    """The exclusive right to make one delivery to a host."""

    delivery: Delivery
    token: str
    is_too_old: bool
    """Whether the delivery is older than `KEPT_S`."""


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
# KEYS: hosts, messages, bell. ARGV: host, id, token, message to retry ('' for none), seconds until the retry,
# milliseconds of the host's pause.
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
    """The queues of webhook deliveries of all hosts."""

    def __init__(self, client: Any) -> None:
        self.redis = client
        self._add = client.register_script(_ADD)
        self._take = client.register_script(_TAKE)
        self._end = client.register_script(_END)

    def add(self, delivery: Delivery) -> bool:
        """Queue a delivery. Return False if it is queued already."""
        keys, own = [HOSTS, MESSAGES, BELL], [delivery.host, delivery.id, delivery.model_dump_json()]
        return bool(self._add(keys, own))

    def take(self) -> Turn | float | None:
        """Return the next turn, or the seconds until there is one, or None if there are no deliveries."""
        token = uuid.uuid4().hex
        text, number = self._take([HOSTS, MESSAGES], [token, int(TURN_S * 1000)])
        if text:
            return Turn(Delivery.from_json(text), token, is_too_old=float(number) > KEPT_S)
        return float(number) if number else None

    def end(self, turn: Turn, *, is_silent: bool = False) -> None:
        """End a turn whose delivery is accepted or dropped.

        Args:
            turn: the turn.
            is_silent: the host did not respond; it is paused, longer with each time in a row.
        """
        self._close(turn, "", 0.0, self._pause_s(turn, is_silent))

    def postpone(self, turn: Turn, *, is_silent: bool = False) -> float:
        """End a turn whose delivery is to be retried, and return the seconds until the retry at the earliest."""
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
    """Return the backoff in seconds after that many failures in a row."""
    return float(min(settings().webhook_backoff_s * GROWTH ** min(times - 1, 20), most_s))
