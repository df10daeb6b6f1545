"""Answers what fails before Django has a request to answer; must not touch what Django can answer itself.

Django reads the query string while it builds the request, in the charset that the Content-Type claims. A charset
that is no text encoding, or too many members in the query, fails there, outside of every handler, and the server
would answer with its own HTML.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.exceptions import SuspiciousOperation

from cases.api.errors import INTERNAL_ERROR, make_envelope

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)


def answer_every_failure(application: WSGIApplication) -> WSGIApplication:
    """Returns `application` with the envelope in place of every exception that escapes it."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        except (LookupError, UnicodeError, SuspiciousOperation) as error:
            logger.warning("a request could not be read: %s", type(error).__name__)
            status = "400 Bad Request"
            envelope = make_envelope("INVALID_REQUEST", "The request's query string or charset cannot be read.")
        except Exception:
            logger.exception("a request failed before it could be answered")
            status = "500 Internal Server Error"
            envelope = make_envelope("INTERNAL_ERROR", INTERNAL_ERROR)
        body = json.dumps(envelope).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return serve
