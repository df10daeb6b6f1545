"""The provider's API as a whole: keys, unknown routes, hostile paths."""

from typing import Any

import pytest
from django.test import Client

from agentmail.sandbox.models import Message
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider


@pytest.mark.usefixtures("_defaults")
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_authorization"),
        ("bearer am_test_key", "missing_authorization"),
        ("Basic am_test_key", "missing_authorization"),
        ("Bearer am_other", "unknown_api_key"),
        ("Bearer ", "unknown_api_key"),
    ],
)
def test_a_call_without_the_right_key_is_refused_and_does_nothing(authorization: str | None, code: str) -> None:
    headers: dict[str, Any] = {} if authorization is None else {"Authorization": authorization}
    url = f"/sandbox/agentmail/v0/inboxes/{INBOX}/messages/send"
    answer = Client().post(url, {"to": "a@b.example"}, content_type="application/json", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == code
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("DELETE", f"/inboxes/{INBOX}"),
        ("POST", f"/inboxes/{INBOX}/messages"),
        ("GET", f"/inboxes/{INBOX}/messages/a/b/c/d/e"),
        ("GET", "/threads/not-a-uuid"),
        ("GET", "/inboxes/x%00y"),
        ("GET", "/inboxes/a%0Ab"),
        ("GET", "/inboxes/%FF"),
        ("GET", "/inboxes/a%2Fb"),
    ],
)
def test_whatever_does_not_exist_is_a_404_in_the_providers_form(provider: Provider, method: str, path: str) -> None:
    answer = provider.call(method, path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert answer.json()["name"] == "NotFoundError"


def test_nul_in_a_parameter_is_refused(provider: Provider) -> None:
    answer = provider.call("GET", f"/inboxes/{INBOX}/messages?labels=a%00b")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"path": ["labels"], "message": "must not contain NUL", "code": "invalid_value"}]


def test_an_id_with_every_awkward_character_is_found_when_it_is_escaped(provider: Provider, control: Control) -> None:
    thread_id = provider.send().json()["thread_id"]
    awkward = "<CAF+x/y=?z&w#v%41;ü@mail.example>"
    assert control.post("inbound", {"thread_id": thread_id, "text": "hi", "message_id": awkward}).status_code == 200
    escaped = "%3CCAF%2Bx%2Fy%3D%3Fz%26w%23v%2541%3B%C3%BC%40mail.example%3E"
    answer = provider.call("GET", f"/inboxes/agent%40offload.example/messages/{escaped}")
    assert answer.status_code == 200
    assert answer.json()["message_id"] == awkward


def test_a_body_above_25_megabytes_is_refused(provider: Provider) -> None:
    answer = provider.send(b"x" * 25_000_001)
    assert answer.status_code == 413
    assert Message.objects.count() == 0
