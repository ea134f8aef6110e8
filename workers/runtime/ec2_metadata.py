"""Sources of spot termination notices: the metadata service of EC2, or a file.

EC2 announces a termination two minutes ahead: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
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
"""The environment variable that the tools of AWS use."""
TOKEN_TTL_S = 21600
TIMEOUT_S = 2.0


class NoticeSource(Protocol):
    """A source of termination notices for this machine."""

    name: str

    def seconds_left(self) -> float | None:
        """Return the seconds until termination, infinity for a notice without a time, or None without a notice."""
        ...


class NoticeFile:
    """A file whose existence is the notice; it may contain the seconds that are left."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def seconds_left(self) -> float | None:
        """Return the seconds left by the file's content, counted from its modification time."""
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
    """The metadata service of EC2, version 2, which requires a session token."""

    name = "EC2"

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._http = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
        self._token = ""
        self._was_reachable = True

    def seconds_left(self) -> float | None:
        """Request the instance action; an unreachable service counts as no notice."""
        try:
            answer = self._request_action()
        except urllib3.exceptions.HTTPError as error:
            if self._was_reachable:
                logger.warning("%s does not answer (%s); a spot notice will be missed.", self._endpoint, error)
            self._was_reachable = False
            return None
        self._was_reachable = True
        if answer.status != 200:  # 404: no termination is scheduled
            return None
        return _seconds_until(answer.data)

    def _request_action(self) -> urllib3.BaseHTTPResponse:
        for _ in range(2):
            if not self._token:
                self._token = self._new_token()
            url = f"{self._endpoint}/latest/meta-data/spot/instance-action"
            answer = self._http.request("GET", url, headers={"X-aws-ec2-metadata-token": self._token})
            if answer.status != 401:
                break
            self._token = ""  # it has expired
        return answer

    def _new_token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
        answer = self._http.request("PUT", f"{self._endpoint}/latest/api/token", headers=headers)
        if answer.status != 200:
            raise urllib3.exceptions.HTTPError(f"it gives no token, status {answer.status}")
        return answer.data.decode("ascii")


def _seconds_until(answer: bytes) -> float:
    """Return the seconds until the time in `{"action": "terminate", "time": "2026-11-23T18:22:00Z"}`."""
    try:
        return (datetime.fromisoformat(json.loads(answer)["time"]) - datetime.now(UTC)).total_seconds()
    except (ValueError, KeyError, TypeError):
        return float("inf")


def sources() -> list[NoticeSource]:
    """Return the sources that the settings name."""
    endpoint = os.environ.get(ENDPOINT_VARIABLE, "http://169.254.169.254")
    return [Ec2Metadata(endpoint) if name == EC2 else NoticeFile(Path(name)) for name in settings().notice]
