"""Two hundred uploads at once: each is answered in time, and what is answered is on the disk and on the queues."""

import asyncio
import hashlib
import time

import httpx
import pytest

from pipeline.types import LEGS
from tests.http.server import Server, audio

pytestmark = pytest.mark.xdist_group("http")
COUNT = 200
ANSWER_S = 60.0
"""The whole suite runs on few cores beside other tests; docs/http.md has what they take alone."""


async def send_all(url: str, sounds: list[bytes]) -> list[tuple[httpx.Response, float]]:
    limits = httpx.Limits(max_connections=len(sounds))
    async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, limits=limits) as client:

        async def send(number: int, sound: bytes) -> tuple[httpx.Response, float]:
            began = time.monotonic()
            answer = await client.post("/hybrid", files={"file": (f"many-{number:03d}.mp3", sound)})
            return answer, time.monotonic() - began

        return await asyncio.gather(*(send(number, sound) for number, sound in enumerate(sounds)))


def test_two_hundred_uploads_at_once_lose_nothing(unstaffed: Server) -> None:
    sounds = [audio() + bytes(200_000) for _ in range(COUNT)]

    answers = asyncio.run(send_all(unstaffed.url, sounds))

    assert {answer.status_code for answer, _ in answers} == {202}
    assert max(took_s for _, took_s in answers) < ANSWER_S
    jobs = [answer.json()["id"] for answer, _ in answers]
    assert [job[:16] for job in jobs] == [hashlib.sha256(sound).hexdigest()[:16] for sound in sounds]
    with unstaffed.fleet.client():
        queued = unstaffed.fleet.messages()
    assert queued == {f"{job}.{leg}.1" for job in jobs for leg in LEGS}
    kept = {path.name: path.read_bytes() for path in unstaffed.uploads()}
    assert kept == {f"many-{number:03d}.mp3": sound for number, sound in enumerate(sounds)}
