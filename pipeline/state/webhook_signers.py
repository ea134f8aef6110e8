"""The workers of the cpu pool that can sign webhooks; without one, no webhook could be delivered."""

from pipeline.errors import SettingsError
from pipeline.settings import settings
from pipeline.state.redis import connect, readable_errors
from pipeline.state.worker_registry import INDEX, WorkerRegistry

SIGNERS = "duet:webhooks:signers"
"""Hash of worker ids: 1 for a worker with a secret, 0 for one without."""
POOL = "cpu"


def publish_signing_state(worker: str) -> None:
    """Record whether a starting worker has a secret, and remove the workers that are no longer registered.

    Raises:
        BrokerError: the broker does not respond.
    """
    with readable_errors(), connect() as client:
        here = client.smembers(INDEX)
        gone = [it for it in client.hkeys(SIGNERS) if it not in here]
        if gone:
            client.hdel(SIGNERS, *gone)
        client.hset(SIGNERS, worker, int(settings().webhook_secret is not None))


def check_signed() -> None:
    """Check that a worker can sign webhooks; passes with no workers, since one with a secret may start later.

    Raises:
        SettingsError: no running worker of the cpu pool has a secret.
        BrokerError: the broker does not respond.
    """
    with readable_errors(), connect() as client:
        signers = client.hgetall(SIGNERS)
        senders = [signers.get(it.id) for it in WorkerRegistry(client).all() if it.pool == POOL]
    if senders and set(senders) == {"0"}:
        raise SettingsError(
            "Nobody would be told: webhooks are signed, and no worker of the cpu pool has a secret; set "
            "DUET_WEBHOOK_SECRET there (`echo whsec_$(openssl rand -base64 32)`) and start it anew."
        )
