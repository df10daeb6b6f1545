"""The entries at the head of every page; must not show one to somebody who may not open it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from cases.admin import queues
from cases.admin.list_filters import StateFilter
from cases.paging import write_count

# What the entry is called, the list that it opens, the permission that the list needs.
_LISTS = (
    ("Cases", "cases_case", "cases.view_case"),
    ("Mail", "agentmail_inboundemail", "agentmail.view_inboundemail"),
    ("Webhooks", "webhooks_delivery", "webhooks.view_delivery"),
    ("Clients", "cases_client", "cases.view_client"),
)


@dataclass(frozen=True, slots=True)
class NavEntry:
    """`count` is how many wait there for a person, "" where nobody does."""

    label: str
    url: str
    is_current: bool
    count: str = ""


def compose_nav(request: HttpRequest) -> list[NavEntry]:
    """Returns the entries that the request's user may open; one query at most, for what needs an answer."""
    entries = [NavEntry("Overview", reverse("admin:index"), request.path == reverse("admin:index"))]
    for label, name, permission in _LISTS:
        if not request.user.has_perm(permission):
            continue
        try:
            url = reverse(f"admin:{name}_changelist")
        except NoReverseMatch:
            # An installation's own admin site may have left a list out.
            continue
        is_waiting_view = request.GET.get(StateFilter.parameter_name) == queues.NEEDS_ANSWER and request.path == url
        entries.append(NavEntry(label, url, request.path.startswith(url) and not is_waiting_view))
        if permission == "cases.view_case":
            entries.append(_compose_waiting(url, is_waiting_view))
    return entries


def _compose_waiting(list_url: str, is_current: bool) -> NavEntry:
    waiting = queues.count_waiting()
    url = f"{list_url}?{StateFilter.parameter_name}={queues.NEEDS_ANSWER}"
    return NavEntry("Needs an answer", url, is_current, write_count(waiting, queues.VIEW_CAP) if waiting else "")
