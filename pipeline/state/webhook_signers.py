"""The workers of the cpu pool that have a secret to sign webhooks with; without any, none could be delivered."""

from pipeline.errors import SettingsError
from pipeline.settings import settings
from pipeline.state.redis import connect, readable_errors
from pipeline.state.worker_registry import INDEX, WorkerRegistry

SIGNERS = "duet:webhooks:signers"
"""By a worker's id, whether it has a secret: 1 or 0."""
POOL = "cpu"


def say_whether_signed(worker: str) -> None:
    """Note of a worker that starts whether it has a secret, and forget those that are gone.

    Raises:
        BrokerError: the broker does not answer.
    """
    with readable_errors(), connect() as client:
        here = client.smembers(INDEX)
        gone = [it for it in client.hkeys(SIGNERS) if it not in here]
        if gone:
            client.hdel(SIGNERS, *gone)
        client.hset(SIGNERS, worker, int(settings().webhook_secret is not None))


def check_signed() -> None:
    """See that webhooks will be signed, as far as it can be known: a worker may have one that starts only later.

    Raises:
        SettingsError: each worker that would send them has said that it has no secret.
        BrokerError: the broker does not answer.
    """
    with readable_errors(), connect() as client:
        said = client.hgetall(SIGNERS)
        senders = [said.get(it.id) for it in WorkerRegistry(client).all() if it.pool == POOL]
    if senders and set(senders) == {"0"}:
        raise SettingsError(
            "Nobody would be told: webhooks are signed, and no worker of the cpu pool has a secret; set "
            "DUET_WEBHOOK_SECRET there (`echo whsec_$(openssl rand -base64 32)`) and start it anew."
        )
