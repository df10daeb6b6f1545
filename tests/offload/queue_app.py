"""A Celery application for real worker processes in tests: the product's class, transport and settings, tiny tasks.

With STOCK_TRANSPORT in the environment it uses kombu's own transport, to show what ours is for.
"""

import logging
import os
import time
from itertools import count

from celery.utils.log import get_task_logger
from kombu.transport import TRANSPORT_ALIASES

from offload.celery import OffloadCelery
from tests import settings

if os.environ.get("STOCK_TRANSPORT"):
    TRANSPORT_ALIASES["sqs"] = "kombu.transport.SQS:Transport"

numbers = count()


def make_app() -> OffloadCelery:
    """Returns an application of its own, so that no test publishes through another's connections."""
    made = OffloadCelery("queue_app", fixups=[], set_as_current=False)
    made.config_from_object(settings, namespace="CELERY")
    made.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {
        "wait_time_seconds": 1,
        # kombu keeps one pool for all applications whose options are the same.
        "own_pool": next(numbers),
    }
    return made


app = make_app()


@app.task(name="queue_app.nothing")
def nothing(number: int) -> None:
    """Succeeds; the endpoint sees that its message was deleted."""


@app.task(name="queue_app.rest")
def rest(number: int, seconds: float) -> None:
    """Says that it begins, takes its time, and says that it is done."""
    logging.getLogger("queue_app").warning("rest %d begins", number)
    time.sleep(seconds)
    logging.getLogger("queue_app").warning("rest %d is done", number)


@app.task(name="queue_app.leak")
def leak(secret: str) -> None:
    """Writes a secret in every way a task can."""
    logging.getLogger("some.library").warning("calling with %s", secret)
    get_task_logger("queue_app").warning("the task has %s", secret)
    raise ValueError(secret)
