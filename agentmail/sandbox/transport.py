"""One webhook attempt over HTTP: signs and posts; must not touch the database."""

from dataclasses import dataclass
from datetime import datetime

import requests
from standardwebhooks.webhooks import EmptyWebhookSecretError
from standardwebhooks.webhooks import Webhook as Signer

from agentmail.sandbox.deliveries import ClaimedDelivery

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class AttemptOutcome:
    """What an attempt met: the answer's status, or None with the reason why there was none."""

    status: int | None
    error: str


def sign_headers(claimed: ClaimedDelivery, now: datetime) -> dict[str, str]:
    """Returns the headers of one attempt: `svix-id` of the delivery, timestamp and signature of this moment."""
    return claimed.static_headers | {
        "content-type": "application/json",
        "user-agent": "Offload-Sandbox-Webhooks/1.0",
        "svix-id": claimed.svix_id,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Signer(claimed.secret).sign(claimed.svix_id, now, claimed.body),
    }


def post_delivery(claimed: ClaimedDelivery, now: datetime) -> AttemptOutcome:
    """Posts the delivery once, without following redirects; never raises for what the network does."""
    session = requests.Session()
    # A proxy from the environment must not see what goes to this machine.
    session.trust_env = False
    try:
        with session.post(
            claimed.url,
            data=claimed.body.encode(),
            headers=sign_headers(claimed, now),
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            status = answer.status_code
    except (requests.RequestException, ValueError, EmptyWebhookSecretError) as error:
        # ValueError: a secret or a URL that cannot be used at all.
        return AttemptOutcome(status=None, error=f"{type(error).__name__}: {error}"[:500])
    finally:
        session.close()
    return AttemptOutcome(status=status, error="" if 200 <= status < 300 else f"answered {status}")
