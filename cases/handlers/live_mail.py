"""Keeps received mail that was found at the provider and whose webhook never came; must not judge it."""

from __future__ import annotations

from agentmail.reading import ThreadView
from agentmail.services import store_live_mail
from cases.handlers.tools import Tools
from cases.services import record_reply


def keep_live_mail(thread: ThreadView, tools: Tools) -> None:
    """Stores what only the provider had, with its attachments and its REPLY_RECEIVED, as the webhook would have.

    Each mail is a transaction of its own, taken before any lock on the case. A second call stores nothing twice.
    """
    for mail in thread.unstored:
        store_live_mail(mail, now=tools.read_clock(), on_reply=record_reply)
