"""The Celery application that web, worker and beat share; must not import any app's tasks by itself."""

import logging
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings
from django.utils.log import configure_logging
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]  # older stubs
from kombu.transport import TRANSPORT_ALIASES

logger = logging.getLogger(__name__)

SQS_BATCH_SIZE = 10

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload.settings")
# By name, so that a process that never talks to the queue does not load boto3.
TRANSPORT_ALIASES["sqs"] = "offload.sqs:Transport"


class OffloadCelery(Celery):
    """Celery that can also send many messages of one task at the price of a few."""

    def send_batch(self, task_name: str, list_of_args: Sequence[Sequence[Any]]) -> int:
        """Sends one message per list of arguments, ten to a call, and returns how many the queue took.

        Never raises because of the queue: on a dead one it stops at the first failure, so the count is short and
        the caller's next sweep sends the rest. A message may arrive twice, as any message may.
        """
        sent = 0
        waiting = iter(list_of_args)
        try:
            with self.producer_or_acquire() as producer:
                while chunk := list(islice(waiting, SQS_BATCH_SIZE)):
                    for taken in self._send_chunk(producer, task_name, chunk):
                        sent += taken
        except OperationalError as error:
            logger.warning("The queue took %d of %d %s: %s", sent, len(list_of_args), task_name, error)
        return sent

    def _send_chunk(self, producer: Any, task_name: str, chunk: Sequence[Sequence[Any]]) -> Iterator[int]:
        try:
            # A transport that has no batches (memory, in a test) sends each message at once.
            with producer.batch(max_size=SQS_BATCH_SIZE):
                self.send_task(task_name, args=chunk[0], producer=producer, retry=False)
                batch = getattr(producer.channel, "open_batch", None)
                for args in chunk[1:]:
                    if batch is not None:
                        batch.add_alike(args)
                    else:
                        self.send_task(task_name, args=args, producer=producer, retry=False)
            yield len(chunk)
        except BatchPublishError as error:
            logger.warning("SQS did not take a batch of %s, sending one by one: %s", task_name, error)
            for args in chunk:
                self.send_task(task_name, args=args, producer=producer, retry=False)
                yield 1


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Logs as the settings say: Celery's own handlers would write past the redaction filter."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


app = OffloadCelery("offload")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["cases", "webhooks", "offload"])
# By name, for the same reason as the transport.
app.steps["worker"].add("offload.queues:CheckQueue")
app.steps["worker"].add("offload.pulses:WorkerPulse")


@app.on_after_configure.connect
def forget_false_warnings(source: Any, **_: object) -> None:
    """Keeps workers from asking at every start to rename settings.

    Celery takes CELERY_TASK_SERIALIZER and two others for its names of old, although the namespace asks for them.
    """
    source.deprecated_settings = None
