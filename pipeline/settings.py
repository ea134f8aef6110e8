"""One typed class for every setting; each is read from `DUET_<NAME>` in the environment."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import SettingsError


def _split(text: object) -> object:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several values in one variable, separated by commas."""


class Settings(BaseSettings):
    """Settings of this process, from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="DUET_", env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    broker_url: str | None = None
    """Redis or Valkey that carries queues, results and job states, `redis://host:6379/0`; or SQS, `sqs://`, which
    carries the queues alone; unset: the embedded one of this user, if it runs."""
    state_url: str | None = None
    """Redis or Valkey for results and job states where the broker is none; else they are with the broker."""
    state_dir: Path = Field(default_factory=lambda: _xdg("XDG_STATE_HOME", ".local/state"))
    """Where the embedded stack keeps its append-only file, its logs and the list of its processes."""
    cache_dir: Path = Field(default_factory=lambda: _xdg("XDG_CACHE_HOME", ".cache"))
    """Where converted weights and copies of remote audio are kept."""
    cache_limit_bytes: int = Field(default=10_000_000_000, ge=0)
    """What copies of remote audio may take on this machine in all; the one that was used longest ago goes first, never
    one that is in use. Weights are not counted."""
    keep_jobs_s: float = Field(default=30 * 24 * 3600.0, gt=0)
    """Seconds after its end for which a job stays in Redis; what it left in storage stays longer (docs/privacy.md)."""
    broker_memory_bytes: int = Field(default=2_000_000_000, ge=0)
    """Memory that the embedded Valkey may take before it refuses more; 0: as much as there is."""

    model_cache_uri: str | None = Field(default=None, pattern=r"^s3://[^/]+(/.*)?$")
    """An `s3://bucket/prefix` with models' weights (`duet models push`), from which pools take theirs before they
    ask a hub."""
    s3_endpoint_url: str | None = None
    """Endpoint of an S3 server other than AWS's; unset: AWS's, or what `AWS_ENDPOINT_URL_S3` says."""
    s3_timeout_s: float = 20.0
    """Seconds without an answer from S3 after which a request counts as lost and is tried again."""

    allowed_roots: Listed = ()
    """Folders and `s3://bucket/prefix` that jobs may read audio from and write results to, separated by
    commas; unset: wherever this process may read and write."""
    allowed_hosts: Listed = ()
    """Names, addresses and networks (`10.0.0.0/8`) that a URL may lead to although they are not public,
    separated by commas."""

    download_limit_bytes: int = Field(default=2_000_000_000, gt=0)
    """Size above which audio on the web is not downloaded."""
    download_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds without a byte from a web server after which it counts as lost; in twice as many it must have answered,
    redirects and all headers included."""
    download_time_limit_s: float = Field(default=3600.0, gt=0)
    """Seconds that one download may take in all, however often it is tried."""

    device: str = "auto"
    """Device of both pools: `auto`, `cpu`, `cuda`, `cuda:<index>`, or a card's UUID as nvidia-smi has it."""
    idle_unload_s: float | None = Field(default=None, gt=0)
    """Seconds without work after which a pool gives its model's memory back, to load it again for the next
    episode; unset: it keeps it."""
    whisper_model: str = "base"
    """A name openai-whisper knows (`tiny` to `turbo`) or the path of a checkpoint."""
    voxtral_model: str = "mistralai/Voxtral-Mini-3B-2507"
    """A hub id, the path of a folder with the model's files, or such a folder's `s3://bucket/prefix`."""
    voxtral: Literal["auto", "on", "off"] = "auto"
    """`auto`: Voxtral runs where there is a CUDA device; `on`: also on a CPU; `off`: never."""
    voxtral_url: str | None = None
    """Base of the API of a server that has Voxtral, `http://host:8000/v1`; it comes before a card here."""
    voxtral_key: SecretStr | None = None
    """Sent to that server as a bearer token."""
    voxtral_timeout_s: float = Field(default=600.0, gt=0)
    """Seconds without an answer of that server after which a request counts as lost."""
    voxtral_tries: int = Field(default=4, ge=1)
    """How often a request is made while that server is busy or not there."""
    voxtral_backoff_s: float = Field(default=1.0, ge=0)
    """Seconds before the second try; each further one waits twice as long, or as long as the server says."""
    voxtral_section_s: float | None = Field(default=None, ge=30.0, le=1500.0)
    """Longest stretch of audio that Voxtral hears at once, in seconds; unset: what the memory plan allows
    (`duet plan`), and 600 on a CPU or a server."""
    voxtral_quantize: Literal["int8", "nf4"] | None = None
    """Voxtral's weights in 8 or 4 bits, for small cards; needs the extra `quantize`."""

    gpu_cost_per_hour: float | None = Field(default=None, ge=0)
    """What an hour of the device costs, in whatever money; with it each result says about what it cost."""

    audio_limit_s: float = Field(default=24 * 3600.0, gt=0)
    """Longest episode in seconds; a file of more sound than that is refused, such as a day of packed silence."""
    leg_time_limit_s: int = Field(default=6 * 3600, ge=60)
    """Hard limit of one leg; after it the process is killed and the job ends with what exists."""
    retry_limit: int = Field(default=5, ge=0)
    """How often a leg is tried again after a transient error."""
    retry_backoff_s: float = Field(default=2.0, gt=0)
    """Seconds before the first retry; each further one waits twice as long, two minutes at most."""
    stop_grace_s: float = Field(default=100.0, gt=0)
    """Seconds after SIGTERM in which a leg may save what it has and hand over; then it is put back as it is.
    Stay below what the platform allows: 120 for a spot notice."""
    notice: Listed = ()
    """Where it is said that this machine is about to be taken away, separated by commas: `ec2` for EC2's metadata
    service, or the path of a file that is then put there (it may hold the seconds that are left). The worker then
    stops as on SIGTERM, in the time that is left."""
    notice_interval_s: float = Field(default=5.0, gt=0)
    """Seconds between two looks for such a notice."""
    priority_age_s: float = Field(default=600.0, gt=0)
    """Seconds of waiting after which an episode goes up one of the ten priorities, so that nothing starves."""
    inbox: Listed = ()
    """Folders and `s3://bucket/prefix` that the clock watches: what is put there is submitted, separated by commas."""
    inbox_to: str | None = None
    """Where the results of the inbox go, in the same folders; unset: beside it, `<inbox>-results`."""
    inbox_settle_s: float = Field(default=10.0, gt=0)
    """Seconds for which a file must not have changed before it is taken."""
    scale: str | None = None
    """Who is told how many GPU hosts there should be: `print` for the log alone, `asg:<name>` for an EC2 Auto Scaling
    group; unset: nobody."""
    drain_target_s: float = Field(default=3600.0, gt=0)
    """In how many seconds from its submission a job is to be done; more hosts are asked for where one would be late."""
    scale_min_hosts: int = Field(default=0, ge=0)
    """Hosts that are kept when there is nothing to do."""
    scale_max_hosts: int = Field(default=10, ge=0)
    """Hosts that are never exceeded."""
    scale_budget_per_hour: float | None = Field(default=None, ge=0)
    """Most that all hosts together may cost in an hour, at `DUET_GPU_COST_PER_HOUR` each."""
    scale_down_after_s: float = Field(default=600.0, ge=0)
    """Seconds for which fewer hosts must have been enough before there are fewer."""
    scale_start_s: float = Field(default=180.0, ge=0)
    """Seconds from asking for a host until its pools are at work."""
    sweep_interval_s: float = Field(default=10.0, gt=0)
    """Seconds between two looks of the sweeper; a worker that was silent for five looks is lost."""
    serve_host: str = "127.0.0.1"
    """Address that `duet serve` listens on; another than this machine's needs an API key."""
    serve_to: str = "results"
    """Where results of what `duet serve` takes go: a folder, `file:///folder` or `s3://bucket/prefix`."""
    serve_trusted_proxies: Listed = ()
    """Addresses and networks (`10.0.0.0/8`) of the proxies before `duet serve`, separated by commas, or `*`: what they
    say in `X-Forwarded-Proto` and `X-Forwarded-For` is believed, and a key is needed. Unset: this machine's own."""
    serve_upload_limit_bytes: int = Field(default=2_000_000_000, gt=0)
    """Size above which `duet serve` refuses an upload."""
    serve_wait_s: float = Field(default=300.0, ge=0)
    """Seconds that a request waits for its answer at most; then it is answered with links."""
    serve_requests_per_minute: int = Field(default=1200, ge=1)
    """How many requests a key may make that has no limit of its own."""
    serve_at_once: int = Field(default=256, ge=1)
    """How many uploads of such a key may be at work at once."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """How background processes log: `json`, one object a line, or `text`; `auto`: text on a terminal."""
    flower_auth: SecretStr | None = None
    """`user:password` for Flower; with it `duet up` starts it."""
    flower_port: int = Field(default=5555, ge=1, le=65535)
    """Port of this machine at which `duet up` and `duet flower` show it."""
    webhook_secret: SecretStr | None = None
    """Signs webhooks: `whsec_` and 24 to 64 random bytes in base64; on every worker of the cpu pool."""
    webhook_tries: int = Field(default=8, ge=1)
    """How often an address is told of the same thing that does not answer with 2xx."""
    webhook_backoff_s: float = Field(default=5.0, gt=0)
    """Seconds before the second try; each further one waits four times as long, an hour at most."""
    client_timeout_s: float = 5.0
    """Seconds after which a client says that the broker does not answer."""


def chosen(*names: str) -> dict[str, str]:
    """Return some settings as they are written into results; those that are not set are left out."""
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
    """Return the settings of this process, read once.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "DUET_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}={first['input']!r} cannot be used: {first['msg']}.") from None
