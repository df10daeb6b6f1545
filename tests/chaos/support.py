"""The support agent of a run: puts steps that were given up back in line, in the admin, as people do.

A worker is killed every few seconds, so now and then the same step loses five of them, and Offload takes it for one
that kills its workers. It then stands before a human, as promised; must not touch a row itself.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import requests

TIMEOUT_S = 30


class Support:
    """One person with the rights of the group Operator, logged in at the first need."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._admin = description["admin"]
        self._account = description["staff"]["operator"]
        self._session: requests.Session | None = None
        self.requeued = 0

    def requeue(self, case_id: UUID, event_id: int) -> None:
        """Presses "Requeue" on the page of the case. Raises AssertionError when the admin does not take it."""
        session = self._session = self._session or self._log_in()
        url = f"{self._admin}cases/case/{case_id}/steps/{event_id}/requeue/"
        answer = session.post(url, {"csrfmiddlewaretoken": session.cookies["csrftoken"]}, timeout=TIMEOUT_S)
        assert answer.status_code == 200, f"the admin answered {answer.status_code} to a requeue"
        self.requeued += 1

    def _log_in(self) -> requests.Session:
        session = requests.Session()
        url = f"{self._admin}login/"
        session.get(url, timeout=TIMEOUT_S)
        form = {**self._account, "csrfmiddlewaretoken": session.cookies["csrftoken"], "next": self._admin}
        answer = session.post(url, form, timeout=TIMEOUT_S)
        assert answer.url == self._admin, "the support user could not log in"
        return session
