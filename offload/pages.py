"""The middleware that only pages for people need, so that the API's requests do not pay for it.

A request to the API carries a key and no cookie, and its answer is JSON that no browser draws: a session, a user, a
flash message and a content security policy would mean nothing there. Everything else counts as a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.deprecation import MiddlewareMixin
else:
    MiddlewareMixin = object

API = ("/cases", "/agentmail/webhook", "/livez", "/readyz")


class _OnlyForPages(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(API):
            return self.get_response(request)
        return super().__call__(request)


class PagePolicyMiddleware(_OnlyForPages, CSPMiddleware):
    """The header Content-Security-Policy."""


class PageSessionMiddleware(_OnlyForPages, SessionMiddleware):
    """`request.session`."""


class PageUserMiddleware(_OnlyForPages, AuthenticationMiddleware):
    """`request.user` of the session."""


class PageMessageMiddleware(_OnlyForPages, MessageMiddleware):
    """What an admin page says after an action."""
