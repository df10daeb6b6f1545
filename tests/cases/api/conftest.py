"""What the tests of the API share: a client's side of the wire; must not touch the network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from django.http import HttpResponse
from django.test import Client as HttpClient

from cases.models import Client
from tests.cases.factories import ClientFactory, make_api_key


@dataclass
class Api:
    """Sends requests as one API client, and reads the envelope of what comes back."""

    client: Client
    key: str
    http: HttpClient = field(default_factory=lambda: HttpClient(raise_request_exception=False))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes = b"",
        content_type: str = "application/json",
        **headers: str,
    ) -> HttpResponse:
        """`headers` are WSGI names, such as HTTP_ACCEPT; they win over the key."""
        data = raw if body is None else json.dumps(body).encode()
        sent: dict[str, Any] = {"HTTP_X_API_KEY": self.key, **headers}
        return cast(HttpResponse, self.http.generic(method, path, data, content_type, **sent))

    def post(self, path: str, body: Any) -> HttpResponse:
        return self.send("POST", path, body)

    def get(self, path: str) -> HttpResponse:
        return self.send("GET", path)


@pytest.fixture
def api(db: None) -> Api:
    owner = ClientFactory.create(name="Acme")
    _, key = make_api_key(client=owner)
    return Api(owner, key)


@pytest.fixture
def other_api(db: None) -> Api:
    owner = ClientFactory.create(name="Somebody else")
    _, key = make_api_key(client=owner)
    return Api(owner, key)


def read_error(response: HttpResponse) -> dict[str, Any]:
    """Returns the `error` of an answer, after proof that the answer is the envelope and nothing else."""
    assert response.headers["Content-Type"].startswith("application/json")
    envelope = json.loads(response.content)
    assert set(envelope) == {"ok", "error"}
    assert envelope["ok"] is False
    error: dict[str, Any] = envelope["error"]
    assert set(error) <= {"code", "message", "details"}
    assert error["message"]
    return error


def read_data(response: HttpResponse) -> dict[str, Any]:
    """Returns the `data` of an answer, after proof that the answer is the envelope of a success."""
    envelope = json.loads(response.content)
    assert set(envelope) == {"ok", "data"}, envelope
    assert envelope["ok"] is True
    data: dict[str, Any] = envelope["data"]
    return data


def make_body(**changes: Any) -> dict[str, Any]:
    """Returns a good body of POST /cases, with members replaced."""
    body: dict[str, Any] = {
        "channel": "EMAIL",
        "goal": {"objective": "Collect Maya's signed W-9"},
        "counterparty": {"address": "maya@northstar.example", "name": "Maya Chen"},
        "senderPersona": {"name": "Ana Ruiz"},
    }
    return body | changes
