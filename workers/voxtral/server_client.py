"""HTTP client of a Voxtral server: vLLM, llama.cpp's, Mistral's API, or another server with OpenAI's protocol."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import urllib3

from pipeline.errors import DuetError, EngineError, TransientError
from pipeline.settings import Settings
from pipeline.types.graphemes import clipped
from workers.voxtral.server_replies import reason_of, reply_of

REQUESTS_AT_ONCE = 4
"""Requests under way to one server, each with a connection that is kept."""
ABOUT_FORM = re.compile(
    r"response_format|json.?(schema|object|mode)|schema|grammar|guided|guidance|structured|outlines", re.IGNORECASE
)
"""Words of servers that refuse a form of answers, some of them with status 500."""
_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class RefusedError(EngineError):
    """A server refuses a request permanently."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Server:
    """Requests to one server, with retries."""

    def __init__(self, settings: Settings) -> None:
        url = (settings.voxtral_url or "").rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError(f"DUET_VOXTRAL_URL={url!r} is no address; give one like http://host:8000/v1.")
        self.url = url if url.endswith("/v1") else f"{url}/v1"
        self.is_mistral = parts.hostname == "mistral.ai" or parts.hostname.endswith(".mistral.ai")
        headers = {"Accept": "application/json"}
        if settings.voxtral_key is not None:
            headers["Authorization"] = f"Bearer {settings.voxtral_key.get_secret_value()}"
        self._http = urllib3.PoolManager(
            maxsize=REQUESTS_AT_ONCE,
            headers=headers,
            timeout=urllib3.Timeout(connect=10.0, read=settings.voxtral_timeout_s),
            retries=urllib3.Retry(
                total=settings.voxtral_tries - 1,
                backoff_factor=settings.voxtral_backoff_s / 2,
                backoff_max=60,
                status_forcelist=_BUSY,
                allowed_methods=None,  # repeating any request is harmless, POST included
                respect_retry_after_header=True,
                raise_on_status=False,
                redirect=False,
            ),
        )

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path below the base URL; raises like `post`."""
        return self._request("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a JSON object and return the response's JSON object.

        Raises:
            EngineError: the server rejects the key, the size of the audio, or the request (`RefusedError`).
            TransientError: the server is busy or unreachable after all tries.
        """
        return self._request("POST", path, json=body)

    def upload(self, path: str, fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        """Send a form with a file and return the response's JSON object; raises like `post`."""
        return self._request("POST", path, fields=fields)

    def _request(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, self.url + path, **content)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise TransientError(
                f"The Voxtral server {self.url} does not answer ({type(reason).__name__}); "
                "check DUET_VOXTRAL_URL and that the server runs."
            ) from None
        if response.status != 200:
            raise self._refusal(path, response.status, reason_of(response.data))
        answer = reply_of(response.data)
        if answer is None:
            said = clipped(reason_of(response.data), 80)
            raise EngineError(
                f"{self.url}{path} answers with something else than JSON ({said}); check DUET_VOXTRAL_URL."
            )
        if answer.get("error") and not answer.get("choices"):  # of proxies that do not pass the status on
            raise self._refusal(path, _status_in(answer["error"]), reason_of(response.data))
        return answer

    def _refusal(self, path: str, status: int, reason: str) -> DuetError:
        server, whole_reason, reason = f"The Voxtral server {self.url}", reason, clipped(reason, 200)
        if "audio input is not supported" in reason:  # llama.cpp's, with status 500
            return EngineError(f"{server} loaded no audio encoder; start llama-server with --mmproj.")
        if status in _BUSY and not (status == 500 and ABOUT_FORM.search(whole_reason)):
            return TransientError(f"{server} is busy ({status}): {reason}.")
        if status in (401, 403):
            return EngineError(f"{server} refuses the key ({status}); set DUET_VOXTRAL_KEY.")
        if status == 413:
            return EngineError(f"{server} takes no audio of this size ({reason}); lower DUET_VOXTRAL_SECTION_S.")
        return RefusedError(f"{server} refuses {path} ({status}): {reason}.", status, whole_reason)


def _status_in(error: Any) -> int:
    """Return the status that an error has as its code; 400 for one without."""
    code = str(error.get("code") or error.get("status")) if isinstance(error, dict) else ""
    return int(code) if code.isdecimal() and 400 <= int(code) < 600 else 400
