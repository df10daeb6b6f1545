"""Serves the description at `/openapi.json` and its page at `/docs`; must stay cheap to import."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from threading import Lock

from csp.decorators import csp_update
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.decorators import method_decorator
from drf_spectacular.settings import spectacular_settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from cases.api.views import JsonOnly

MAX_AGE_SECONDS = 300
# Swagger UI writes style elements and draws its icons from data: URLs; its scripts are files of ours.
CSP_OF_PAGE = {"style-src": ["'self'", "'unsafe-inline'"], "img-src": ["'self'", "data:"]}


@dataclass(frozen=True, slots=True)
class Document:
    """The description as it is sent."""

    body: bytes
    etag: str


# drf-spectacular swaps the views of the routes while it works, so two threads must not do it at once.
_building = Lock()


def get_document() -> Document:
    """Returns the description; built once in each process, at the first call."""
    with _building:
        return _build()


@cache
def _build() -> Document:
    generator = spectacular_settings.DEFAULT_GENERATOR_CLASS()
    body = json.dumps(generator.get_schema(public=True), ensure_ascii=False).encode()
    return Document(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class _PublicView(APIView):
    """No key, and so outside of the limits."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    content_negotiation_class = JsonOnly
    http_method_names = ["get", "head"]
    schema = None


class DescriptionView(_PublicView):
    """`/openapi.json`"""

    def get(self, request: Request) -> HttpResponse:
        """Answers the OpenAPI description, or 304 when the client has it already."""
        document = get_document()
        response = HttpResponse(document.body, content_type="application/json")
        response["ETag"] = document.etag
        patch_cache_control(response, public=True, max_age=MAX_AGE_SECONDS)
        return get_conditional_response(request, etag=document.etag, response=response) or response


class PageView(_PublicView):
    """`/docs`

    Not drf-spectacular's own view: its script sets a cookie and puts a CSRF token into every request it shows.
    """

    @method_decorator(csp_update(CSP_OF_PAGE))
    def get(self, request: Request) -> HttpResponse:
        """Answers Swagger UI over `/openapi.json`, from our own static files."""
        return HttpResponse(render_to_string("cases/openapi/page.html"))
