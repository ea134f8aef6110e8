"""Where a platform says that a machine is about to be taken away: EC2's metadata service, or a file.

EC2 gives two minutes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
"""

import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import urllib3

from pipeline.settings import settings

logger = logging.getLogger(__name__)
EC2 = "ec2"
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
"""As AWS's own tools have it."""
TOKEN_TTL_S = 21600
TIMEOUT_S = 2.0


class NoticeSource(Protocol):
    """Something that may say that this machine is about to be taken away."""

    name: str

    def seconds_left(self) -> float | None:
        """Return in how many seconds that is, infinity where it is not said when; None while it stays."""
        ...


class NoticeFile:
    """A file whose being there is the notice; it may hold the seconds that are left."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def seconds_left(self) -> float | None:
        """Look whether it is there."""
        try:
            text = self._path.read_text("utf-8", "replace").strip()
            changed_at = self._path.stat().st_mtime
        except FileNotFoundError:
            return None
        try:
            return float(text) - (time.time() - changed_at)
        except ValueError:
            return float("inf")


class Ec2Metadata:
    """EC2's metadata service, version 2: a token first, then the question."""

    name = "EC2"

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._http = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
        self._token = ""
        self._was_heard = True

    def seconds_left(self) -> float | None:
        """Ask for the instance's next action; a service that does not answer says nothing."""
        try:
            answer = self._ask()
        except urllib3.exceptions.HTTPError as error:
            if self._was_heard:
                logger.warning("%s does not answer (%s); its notice will not be heard.", self._endpoint, error)
            self._was_heard = False
            return None
        self._was_heard = True
        if answer.status != 200:  # 404: nothing is going to happen
            return None
        return _until(answer.data)

    def _ask(self) -> urllib3.BaseHTTPResponse:
        for _ in range(2):
            if not self._token:
                self._token = self._new_token()
            url = f"{self._endpoint}/latest/meta-data/spot/instance-action"
            answer = self._http.request("GET", url, headers={"X-aws-ec2-metadata-token": self._token})
            if answer.status != 401:
                break
            self._token = ""  # it has run out
        return answer

    def _new_token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
        answer = self._http.request("PUT", f"{self._endpoint}/latest/api/token", headers=headers)
        if answer.status != 200:
            raise urllib3.exceptions.HTTPError(f"it gives no token, status {answer.status}")
        return answer.data.decode("ascii")


def _until(answer: bytes) -> float:
    """Read `{"action": "terminate", "time": "2026-11-23T18:22:00Z"}`."""
    try:
        return (datetime.fromisoformat(json.loads(answer)["time"]) - datetime.now(UTC)).total_seconds()
    except (ValueError, KeyError, TypeError):
        return float("inf")


def sources() -> list[NoticeSource]:
    """Return where the settings say to look."""
    endpoint = os.environ.get(ENDPOINT_VARIABLE, "http://169.254.169.254")
    return [Ec2Metadata(endpoint) if it == EC2 else NoticeFile(Path(it)) for it in settings().notice]
