"""An SQS endpoint, and an application that publishes to it, for the tests of the queue."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from offload.celery import OffloadCelery
from tests.offload.queue_app import make_app
from tests.offload.sqs_endpoint import SqsEndpoint

QUEUE = "offload-tasks"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[SqsEndpoint]:
    """One endpoint for the tests of a module: each leaves it behaving."""
    started = SqsEndpoint()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def botocore_files() -> None:
    """Reads the files that botocore reads once a process, which on a busy machine takes longer than a publish."""
    boto3.client("sqs", region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local")


@pytest.fixture
def publisher(botocore_files: None, endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch) -> OffloadCelery:
    """An application whose first message to the endpoint is its process's first: no connection is pooled yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint.url)
    return make_app()
