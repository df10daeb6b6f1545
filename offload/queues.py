"""What the SQS queue must be like: sets it, and compares it when a process starts; must not send or receive.

The queue carries nudges ("look at case N"), and PostgreSQL holds what there is to do. So a message that is lost, too
old or moved to the dead-letter queue is no work lost: the sweep asks again within ten minutes. The dead-letter queue
is there so that a message that no worker can take does not come round for ever; nobody has to read it, and it
forgets after a day.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from celery.bootsteps import Step
from django.conf import settings

logger = logging.getLogger(__name__)

# A nudge that is not followed is repeated after ten minutes at most, so an hour loses nothing. It also bounds what
# piles up while no worker runs.
RETENTION_S = 3600
# Of a standard queue the age counts from the first sending, so this must exceed the queue's own.
DEAD_RETENTION_S = 86_400
# Also what a killed worker held counts as received. Below 5 a few restarts would fill the dead-letter queue.
MAX_RECEIVES = 5
WAIT_S = 10
DEAD_SUFFIX = "-dead"
# sysexits.h: the configuration is wrong, so that a supervisor's log tells it from a crash.
EX_CONFIG = 78

MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


class QueueFault(Exception):
    """The queue cannot be set or read; the text is a sentence with its remedy."""


class QueueMissing(QueueFault):
    """There is no such queue yet."""


@dataclass(frozen=True)
class Found:
    """One queue as SQS describes it; `attributes` are SQS's own, all text."""

    url: str
    attributes: Mapping[str, str]

    @property
    def arn(self) -> str:
        return self.attributes.get("QueueArn", "")

    @property
    def redrive(self) -> dict[str, Any]:
        """The redrive policy, {} without one."""
        try:
            policy = json.loads(self.attributes.get("RedrivePolicy") or "{}")
        except ValueError:
            return {}
        return policy if isinstance(policy, dict) else {}


@dataclass(frozen=True, slots=True)
class Depths:
    """How many messages there are, as SQS approximates them; `dead` is None where its queue cannot be read."""

    visible: int
    in_flight: int
    dead: int | None


class Queues:
    """The queue of the settings and its dead-letter queue, at SQS or what stands in for it."""

    def __init__(self) -> None:
        self.name: str = settings.OFFLOAD_QUEUE
        self.dead_name = f"{self.name}{DEAD_SUFFIX}"
        self._url: str = settings.OFFLOAD_QUEUE_URL
        try:
            # The endpoint comes from AWS_ENDPOINT_URL_SQS, as it does for kombu.
            self._sqs: Any = boto3.client(
                "sqs",
                region_name=settings.OFFLOAD_QUEUE_REGION,
                config=Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2}),
            )
        except (BotoCoreError, ValueError) as error:
            raise QueueFault(f"SQS cannot be used: {error}. Mend the AWS_… variables.") from None

    def ensure(self) -> list[str]:
        """Creates or mends both queues and returns a sentence for each change; a second call returns none.

        Deletes nothing. A dead-letter queue of the operator's own stays in use. Raises QueueFault.
        """
        for setting, value in (("OFFLOAD_QUEUE", self.name), ("OFFLOAD_QUEUE_URL", self._url)):
            if value.endswith(".fifo"):
                raise QueueFault(f"{setting} names a FIFO queue; Offload needs a standard one. Choose another.")
        changes: list[str] = []
        queue = self._find_or_create(self.name, changes)
        target = queue.redrive.get("deadLetterTargetArn")
        if not target or str(target).endswith(f":{self.dead_name}"):
            dead = self._find_or_create(self.dead_name, changes)
            self._mend(dead, self.dead_name, {"MessageRetentionPeriod": str(DEAD_RETENTION_S)}, changes)
            target = dead.arn
        wanted = list_wanted()
        if not _is_redrive_good(queue.redrive, str(target)):
            wanted["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": MAX_RECEIVES})
        self._mend(queue, self.name, wanted, changes)
        return changes

    def read(self) -> Found:
        """Returns the queue as it is. Raises QueueMissing, or QueueFault when SQS does not say."""
        return self._read(self._url or self._look_up(self.name), self.name)

    def read_depths(self) -> Depths:
        """Returns what lies in the queue and in its dead-letter queue. Raises as `read` does."""
        queue = self.read()
        dead = None
        if target := str(queue.redrive.get("deadLetterTargetArn", "")):
            try:
                name = target.rpartition(":")[2]
                dead = _count(self._read(self._look_up(name), name), "ApproximateNumberOfMessages")
            except QueueFault:
                # Its own permissions: what the main queue holds is worth telling without it.
                logger.debug("The dead-letter queue %s cannot be read.", target)
        return Depths(
            _count(queue, "ApproximateNumberOfMessages"), _count(queue, "ApproximateNumberOfMessagesNotVisible"), dead
        )

    def read_dead(self) -> Found:
        """Returns our dead-letter queue as it is; raises as `read` does."""
        return self._read(self._look_up(self.dead_name), self.dead_name)

    def _find_or_create(self, name: str, changes: list[str]) -> Found:
        try:
            return self.read() if name == self.name else self._read(self._look_up(name), name)
        except QueueMissing:
            if self._url and name == self.name:
                raise QueueFault(
                    f"There is no queue at {self._url}. Correct OFFLOAD_QUEUE_URL, or unset it to have one created."
                ) from None
        url = self._call("create_queue", f"create the queue {name}", QueueName=name)["QueueUrl"]
        changes.append(f"created {name}")
        return self._read(url, name)

    def _mend(self, queue: Found, name: str, wanted: Mapping[str, str], changes: list[str]) -> None:
        differing = {key: value for key, value in wanted.items() if _differs(queue, key, value)}
        if not differing:
            return
        self._call("set_queue_attributes", f"set up the queue {name}", QueueUrl=queue.url, Attributes=differing)
        for key, value in differing.items():
            changes.append(f"{name}: {key} {queue.attributes.get(key) or 'not set'} -> {value}")

    def _look_up(self, name: str) -> str:
        return str(self._call("get_queue_url", f"look up the queue {name}", QueueName=name)["QueueUrl"])

    def _read(self, url: str, name: str) -> Found:
        answer = self._call("get_queue_attributes", f"read the queue {name}", QueueUrl=url, AttributeNames=["All"])
        return Found(url, answer.get("Attributes") or {})

    def _call(self, action: str, what: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._sqs, action)(**arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in MISSING:
                raise QueueMissing(f"There is no queue {self.name} yet; run: manage.py ensure_queues") from None
            if code in DENIED:
                permission = "sqs:" + "".join(word.title() for word in action.split("_"))
                raise QueueFault(f"The AWS credentials may not {what}; allow {permission}.") from None
            raise QueueFault(f"SQS refused to {what}: {error}") from None
        except BotoCoreError as error:
            raise QueueFault(f"SQS did not answer when asked to {what}: {error}") from None
        return answer


def _count(queue: Found, attribute: str) -> int:
    told = queue.attributes.get(attribute, "")
    return int(told) if told.isdecimal() else 0


def list_wanted() -> dict[str, str]:
    """Returns the attributes that the settings want of the queue, without its redrive policy."""
    return {
        "VisibilityTimeout": str(settings.OFFLOAD_QUEUE_VISIBILITY_SECONDS),
        "MessageRetentionPeriod": str(RETENTION_S),
        "ReceiveMessageWaitTimeSeconds": str(WAIT_S),
    }


def find_danger(queue: Found) -> str:
    """Returns why no worker may run on this queue, "" when one may."""
    told = queue.attributes.get("VisibilityTimeout", "")
    visibility = int(told) if told.isdecimal() else None
    # An endpoint that does not tell is no danger that is known; the difference is logged.
    if visibility is None or visibility > settings.OFFLOAD_LEASE_SECONDS:
        return ""
    return (
        f"The queue {settings.OFFLOAD_QUEUE} shows a message again after {visibility} s, which must exceed the lease "
        f"of {settings.OFFLOAD_LEASE_SECONDS:g} s (OFFLOAD_LEASE_SECONDS). Run: manage.py ensure_queues"
    )


def list_differences(queue: Found) -> list[str]:
    """Returns in words what `ensure` would change on the queue."""
    found = [
        f"{name} is {queue.attributes.get(name, 'not set')}, not {value}"
        for name, value in list_wanted().items()
        if _differs(queue, name, value)
    ]
    if not _is_redrive_good(queue.redrive, str(queue.redrive.get("deadLetterTargetArn", ""))):
        found.append("it has no dead-letter queue, or one that takes a message too soon")
    return found


def check_at_start() -> str:
    """Logs how the queue differs from what it must be, with the remedy; returns why no worker may run, or "".

    A queue that does not answer or may not be read stops nobody: the worker polls on until it is there.
    """
    try:
        queue = Queues().read()
    except QueueFault as fault:
        logger.warning("The queue could not be checked: %s", fault)
        return ""
    danger = find_danger(queue)
    if danger:
        logger.error("%s", danger)
    elif differences := list_differences(queue):
        logger.warning(
            "The queue %s is not as it should be: %s. Run: manage.py ensure_queues",
            settings.OFFLOAD_QUEUE,
            "; ".join(differences),
        )
    return danger


class CheckQueue(Step):
    """Celery's step that keeps a worker from starting on a queue that would hand out its running events again."""

    def create(self, parent: Any) -> None:
        if check_at_start():
            # The reason is in the log by now; a trace would only hide it.
            raise SystemExit(EX_CONFIG)


def _differs(queue: Found, name: str, value: str) -> bool:
    # SQS always tells it. ElasticMQ has no retention period: to set it again at each start would change nothing.
    if name == "MessageRetentionPeriod" and name not in queue.attributes:
        return False
    return queue.attributes.get(name) != value


def _is_redrive_good(policy: Mapping[str, Any], target: str) -> bool:
    try:
        receives = int(policy.get("maxReceiveCount", 0))
    except (TypeError, ValueError):
        return False
    return bool(target) and policy.get("deadLetterTargetArn") == target and receives >= MAX_RECEIVES
