"""Settings: one typed class, read from `DUET_<NAME>` in the environment."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import SettingsError


def _split(text: object) -> object:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Tuple of values, separated by commas in the environment."""


def _origins(given: tuple[str, ...]) -> tuple[str, ...]:
    origins = tuple(one.rstrip("/").lower() for one in given)
    for one in origins:
        if not re.fullmatch(r"\*|[a-z][a-z0-9+.-]*://[^/\s?#*@]+", one):
            raise ValueError(f"{one!r} is no origin, such as https://app.example.org, and not *")
    return origins


class Settings(BaseSettings):
    """The settings of this process."""

    model_config = SettingsConfigDict(
        env_prefix="DUET_", env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    broker_url: str | None = None
    """URL of the broker: Redis or Valkey for queues, results and job states, `redis://host:6379/0`, or SQS for the
    queues alone, `sqs://`. Unset: this user's embedded broker, if it runs."""
    state_url: str | None = None
    """URL of the Redis or Valkey for results and job states where the broker is SQS."""
    state_dir: Path = Field(default_factory=lambda: _xdg("XDG_STATE_HOME", ".local/state"))
    """Folder of the embedded stack: its append-only file, logs and list of processes."""
    cache_dir: Path = Field(default_factory=lambda: _xdg("XDG_CACHE_HOME", ".cache"))
    """Folder of converted weights and copies of remote audio."""
    cache_limit_bytes: int = Field(default=10_000_000_000, ge=0)
    """Limit of the total size of the copies of remote audio on this machine. The least recently used copy is removed
    first, never one in use. Weights are not counted."""
    keep_jobs_s: float = Field(default=30 * 24 * 3600.0, gt=0)
    """Seconds for which a job stays in Redis after its end; its files in storage stay longer (docs/privacy.md)."""
    broker_memory_bytes: int = Field(default=2_000_000_000, ge=0)
    """Memory limit of the embedded Valkey, beyond which it refuses writes; 0: no limit."""

    model_cache_uri: str | None = Field(default=None, pattern=r"^s3://[^/]+(/.*)?$")
    """Address of the model store, `s3://bucket/prefix` (`duet models push`), which pools try before a hub."""
    s3_endpoint_url: str | None = None
    """Endpoint of an S3 server other than AWS's; unset: `AWS_ENDPOINT_URL_S3`, else AWS's."""
    s3_timeout_s: float = 20.0
    """Seconds without a response from S3 after which a request is retried."""

    allowed_roots: Listed = ()
    """Folders and `s3://bucket/prefix` that jobs may read audio from and write results to, separated by commas; unset:
    all places."""
    allowed_hosts: Listed = ()
    """Private names, addresses and networks (`10.0.0.0/8`) that a URL may lead to, separated by commas."""

    download_limit_bytes: int = Field(default=2_000_000_000, gt=0)
    """Size limit of a download."""
    download_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds without a byte from a web server after which a download fails; twice as many for redirects and headers
    together."""
    download_time_limit_s: float = Field(default=3600.0, gt=0)
    """Total seconds of one download, retries included."""

    device: str = "auto"
    """Device of both pools: `auto`, `cpu`, `cuda`, `cuda:<index>`, or a card's UUID as nvidia-smi shows it."""
    idle_unload_s: float | None = Field(default=None, gt=0)
    """Seconds without work after which a pool unloads its model until the next episode; unset: never."""
    whisper_model: str = "base"
    """Model name of openai-whisper (`tiny` to `turbo`), or path of a checkpoint."""
    whisper_accuracy: Literal["fast", "best"] = "fast"
    """`best` decodes windows again of which Whisper is not sure, with five beams: fewer errors, in about 1.6
    times the time on a CPU."""
    voxtral_model: str = "mistralai/Voxtral-Mini-3B-2507"
    """Hub id of the model, path of a folder with its files, or such a folder's `s3://bucket/prefix`; with
    `DUET_VOXTRAL_URL` the name, in that server's list, of a model that answers questions about audio."""
    voxtral: Literal["auto", "on", "off"] = "auto"
    """Use of Voxtral: `auto` on a CUDA device, and on a CPU that has the weights already (`duet models get voxtral`)
    and either multiplies bfloat16 or is to use int8 (`DUET_VOXTRAL_QUANTIZE`); `on` always, in float32 on other CPUs;
    `off` never."""
    voxtral_url: str | None = None
    """Base URL of an OpenAI-compatible server with Voxtral, `http://host:8000/v1`; preferred to a local device."""
    voxtral_key: SecretStr | None = None
    """Bearer token for that server."""
    voxtral_transcribe_model: str | None = None
    """Name of the model that transcribes on that server; unset: `DUET_VOXTRAL_MODEL`, and on Mistral's API one from its
    list that transcribes."""
    voxtral_timeout_s: float = Field(default=600.0, gt=0)
    """Seconds without a response of that server after which a request fails."""
    voxtral_tries: int = Field(default=4, ge=1)
    """Number of tries of a request while that server is busy or unreachable."""
    voxtral_backoff_s: float = Field(default=1.0, ge=0)
    """Seconds before the second try; the wait doubles with each further one, unless the server names another."""
    voxtral_section_s: float | None = Field(default=None, ge=30.0, le=1500.0)
    """Seconds of the longest section of audio; unset: the memory plan's value (`duet plan`), and 600 on a server."""
    voxtral_quantize: Literal["int8", "nf4"] | None = None
    """Quantization of Voxtral's weights to 8 or 4 bits, for devices with little memory; needs the extra `quantize`,
    except for `int8` on a CPU. It is never the default, because answers of real weights in fewer bits have not been
    compared with those of the original ones."""

    gpu_cost_per_hour: float | None = Field(default=None, ge=0)
    """Price of an hour of the device in any currency; with it each result has an estimate of its cost."""

    audio_limit_s: float = Field(default=24 * 3600.0, gt=0)
    """Seconds of the longest episode; a longer file is rejected."""
    leg_time_limit_s: int = Field(default=6 * 3600, ge=60)
    """Seconds after which the process of a leg is killed; the job then ends with the results that exist."""
    retry_limit: int = Field(default=5, ge=0)
    """Number of retries of a leg after transient errors."""
    retry_backoff_s: float = Field(default=2.0, gt=0)
    """Seconds before the first retry; the wait doubles with each further one, to two minutes at most."""
    stop_grace_s: float = Field(default=100.0, gt=0)
    """Seconds after SIGTERM for a leg to save its work; then its message is requeued. Must be below the platform's
    limit: 120 for a spot notice."""
    notice: Listed = ()
    """Sources of termination notices for this machine, separated by commas: `ec2` for EC2's metadata service, or the
    path of a file whose appearance is the notice (it may contain the seconds that are left). The worker then stops
    as on SIGTERM."""
    notice_interval_s: float = Field(default=5.0, gt=0)
    """Seconds between two checks for a notice."""
    priority_age_s: float = Field(default=600.0, gt=0)
    """Seconds of waiting after which a message gains one of the ten priorities."""
    inbox: Listed = ()
    """Watched folders and `s3://bucket/prefix`, separated by commas; new files there are submitted."""
    inbox_to: str | None = None
    """Destination of the inbox's results, in the same folders; unset: `<inbox>-results`."""
    inbox_settle_s: float = Field(default=10.0, gt=0)
    """Seconds without a change after which a file of the inbox is submitted."""
    scale: str | None = None
    """Autoscaler: `print` for a log line, `asg:<name>` for an EC2 Auto Scaling group; unset: none."""
    drain_target_s: float = Field(default=3600.0, gt=0)
    """Seconds from the submission of a job to its end that the autoscaler aims at."""
    scale_min_hosts: int = Field(default=0, ge=0)
    """Smallest number of hosts."""
    scale_max_hosts: int = Field(default=10, ge=0)
    """Largest number of hosts."""
    scale_budget_per_hour: float | None = Field(default=None, ge=0)
    """Limit of the price of all hosts together in an hour, at `DUET_GPU_COST_PER_HOUR` each."""
    scale_down_after_s: float = Field(default=600.0, ge=0)
    """Seconds for which fewer hosts must be enough before the number is reduced."""
    scale_start_s: float = Field(default=180.0, ge=0)
    """Seconds from the request for a host until its pools are ready."""
    sweep_interval_s: float = Field(default=10.0, gt=0)
    """Seconds between two liveness checks of workers; a worker that misses five is lost."""
    serve_host: str = "127.0.0.1"
    """Address of `duet serve`; one that is not loopback needs an API key."""
    serve_to: str = "results"
    """Destination of the results of `duet serve`: a folder, `file:///folder` or `s3://bucket/prefix`."""
    serve_trusted_proxies: Listed = ()
    """Addresses and networks (`10.0.0.0/8`) of trusted proxies, separated by commas, or `*`: their `X-Forwarded-Proto`
    and `X-Forwarded-For` are used, and a key is needed. Unset: this machine."""
    serve_cors_origins: Annotated[Listed, AfterValidator(_origins)] = ()
    """Origins (`https://app.example.org`) whose pages may use `duet serve` through a browser, separated by commas, or
    `*`: all, with a key. Pages never use the home page's cookie."""
    serve_upload_limit_bytes: int = Field(default=2_000_000_000, gt=0)
    """Size limit of an upload to `duet serve`."""
    serve_wait_s: float = Field(default=300.0, ge=0)
    """Seconds that a request waits for its result; then the response has links instead."""
    serve_requests_per_minute: int = Field(default=1200, ge=1)
    """Requests a minute that are allowed to a key without a limit of its own."""
    serve_at_once: int = Field(default=256, ge=1)
    """Concurrent uploads that are allowed to a key without a limit of its own."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """Log format: `json`, one object a line, or `text`; `auto`: text on a terminal."""
    flower_auth: SecretStr | None = None
    """Credentials for Flower, `user:password`; with them `duet up` starts it."""
    flower_port: int = Field(default=5555, ge=1, le=65535)
    """Port of Flower in `duet up` and `duet flower`."""
    webhook_secret: SecretStr | None = None
    """Secret that signs webhooks: `whsec_` and 24 to 64 random bytes in base64; set on every worker of the cpu pool."""
    webhook_tries: int = Field(default=8, ge=1)
    """Number of tries of a webhook delivery without a 2xx response."""
    webhook_backoff_s: float = Field(default=5.0, gt=0)
    """Seconds before the second try of a delivery; the wait quadruples with each further one, to an hour at most."""
    client_timeout_s: float = 5.0
    """Seconds without a response of the broker after which a client raises an error."""


def chosen(*names: str) -> dict[str, str]:
    """Return the named settings as text for results, without unset ones."""
    values = {name: getattr(settings(), name) for name in names}
    return {name: str(value) for name, value in values.items() if value is not None}


def _xdg(variable: str, fallback: str) -> Path:
    import os

    try:
        return Path(os.environ.get(variable) or Path.home() / fallback) / "duet"
    except RuntimeError:
        raise SettingsError(
            "This user has no home folder; set DUET_STATE_DIR and DUET_CACHE_DIR to folders that Duet may write."
        ) from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process; they are read once.

    Raises:
        SettingsError: a variable has an invalid value.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "DUET_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}={first['input']!r} cannot be used: {first['msg']}.") from None
