"""The yardstick of the worker: Celery with kombu's own SQS transport and a task that does nothing but say so.

`BARE_BROKER=sqs://… BARE_QUEUE=… celery -A bench.bare_celery worker`; must not load Django or anything of the product.
"""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from celery import Celery

QUEUE = "bare"


def make_app(broker: str, queue: str = QUEUE) -> Celery:
    """Returns the application of that broker: its defaults, but for what would make it slow or talk to nobody."""
    made = Celery("bare", broker=broker, set_as_current=False, fixups=[])
    made.conf.update(
        task_default_queue=queue,
        task_ignore_result=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        # At kombu's default of 1.0 a process does about two tasks a second once its prefetch is full.
        broker_transport_options={"region": "us-east-1", "polling_interval": 0.1, "wait_time_seconds": 10},
    )
    made.task(name="bare.nothing")(nothing)
    return made


def compose_broker(queue_url: str) -> str:
    """Returns kombu's address of the embedded SQS endpoint."""
    return f"sqs://local:local@{urlsplit(queue_url).netloc}//"


def nothing(port: int) -> None:
    """Sends a datagram to the port of 127.0.0.1, so that whoever counts sees it without asking."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"1", ("127.0.0.1", port))


app = make_app(os.environ.get("BARE_BROKER", "memory://"), os.environ.get("BARE_QUEUE", QUEUE))
