"""Builds the description out of the routes, the serializers and our own parts; loaded only when it is asked for."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

# Loaded for their classes, which drf-spectacular finds by itself.
from cases.api.openapi import bodies, fields, operations  # noqa: F401
from cases.api.openapi.events import describe_webhooks
from cases.api.openapi.introduction import ABOUT, TAGS
from cases.api.openapi.links import add_links
from cases.api.openapi.refusals import REFUSALS, list_shared_responses
from cases.api.openapi.schemas import list_schemas, make_envelope

ENVELOPES = {
    "ListCasesAnswer": "CasePage",
    "CreateCaseAnswer": "OpenedCase",
    "GetCaseAnswer": "Case",
    "ProvideInputAnswer": "AcceptedInput",
    "CancelCaseAnswer": "CancelledCase",
    "GetAttachmentAnswer": "AttachmentLink",
}


class DescriptionGenerator(SchemaGenerator):
    """Adds what drf-spectacular cannot know: the schemas of answers, errors and webhooks."""

    def get_schema(self, request: Request | None = None, public: bool = False) -> dict[str, Any]:
        """Returns the whole description; the same at every call."""
        document: dict[str, Any] = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        add_links(document["paths"])
        components = document["components"]
        ours = list_schemas(list(REFUSALS)) | {name: make_envelope(data) for name, data in ENVELOPES.items()}
        components["schemas"] = dict(sorted((components["schemas"] | ours).items()))
        components["responses"] = list_shared_responses()
        document["webhooks"] = describe_webhooks()
        document["info"]["description"] = ABOUT
        # Relative, so that it is true of every installation.
        document["servers"] = [{"url": "/"}]
        document["tags"] = TAGS
        return document
