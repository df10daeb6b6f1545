"""The routes of the API: each reads a request, calls one service and answers; must not hold a rule of the workflow."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NoReturn, cast
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentmail.client import AgentMailClient
from agentmail.outcomes import AttachmentLink, AttachmentMissing
from agentmail.reading import read_thread, render_transcript
from cases import services
from cases.api.authentication import Principal
from cases.api.errors import ApiError, AttachmentNotFound, CaseNotFound, Forbidden
from cases.api.idempotency import RETRY_AFTER_SECONDS, KeyInProgress, answer_once
from cases.api.listing import find_page, read_expand, read_listing
from cases.api.parsing import read_body, read_query
from cases.api.serializers import read_answer, read_new_case
from cases.models import Case, Client
from cases.representation import represent_attachment, represent_case

logger = logging.getLogger(__name__)

# A client waits for the answer while the provider is asked.
CONNECT_SECONDS = 2
READ_SECONDS = 5
TOTAL_SECONDS = 8
ANSWERED_BY_LENGTH = 200
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class JsonOnly(BaseContentNegotiation):
    """Answers JSON whatever the Accept header wants: an error that came as 406 would hide the real one."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return next(iter(renderers)), "application/json"


class ApiView(APIView):
    """What all routes share; authentication, parser and error envelope come from the settings."""

    content_negotiation_class = JsonOnly
    # Without "options", which by default would describe the view in DRF's own words.
    http_method_names = ["get", "head", "post"]

    def get_client(self) -> Client:
        """Returns the client whose key the request carries."""
        # DRF's types know only Django's own users.
        return cast(Principal, self.request.user).client

    def handle_exception(self, exc: Exception) -> Response:
        """Answers an error as `cases.api.errors` words it."""
        response = super().handle_exception(exc)
        if isinstance(exc, KeyInProgress):
            response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response


def answer(data: dict[str, Any], status: int = 200) -> Response:
    """Returns the envelope of a success (docs/api/README.md)."""
    return Response({"ok": True, "data": data}, status=status)


def find_case(case_id: str, client: Client, cases: QuerySet[Case]) -> Case:
    """Returns the client's case. Raises CaseNotFound (404), or Forbidden (403) when it is another client's."""
    if not _UUID.fullmatch(case_id):
        raise CaseNotFound
    case = cases.filter(pk=UUID(case_id)).first()
    if case is None:
        raise CaseNotFound
    if case.client_id != client.pk:
        raise Forbidden("This case belongs to another client.")
    return case


class CasesView(ApiView):
    """`/cases`"""

    def get(self, request: Request) -> Response:
        """Answers a page of the client's own cases, newest first (docs/api/list-cases.md)."""
        page = find_page(self.get_client(), read_listing(read_query(request)))
        return answer({"cases": page.cases, "nextCursor": page.next_cursor})

    def post(self, request: Request) -> Response | HttpResponse:
        """Opens a case and answers 201; nothing has been sent by then (docs/api/create-a-case.md).

        With an Idempotency-Key a repeated request opens nothing and gets the first answer again.
        """
        client = self.get_client()
        now = timezone.now()

        def open_case() -> Response:
            case = services.open_case(client, read_new_case(read_body(request)), now=now)
            return answer({"caseId": str(case.id), "status": case.status}, 201)

        return answer_once(request, client.pk, open_case, now=now)


class CaseView(ApiView):
    """`/cases/{id}`"""

    def get(self, request: Request, case_id: str) -> Response:
        """Answers the case (docs/api/get-a-case.md).

        `?includeTranscript=true` adds its thread, `?expand=metadata,failureReason` those two members.
        """
        case = find_case(case_id, self.get_client(), Case.objects.all())
        query = read_query(request)
        expand = read_expand(query)
        newest_request = case.input_requests.order_by("-requested_at", "-id").first()
        body = represent_case(case, list(case.attachments.all()), newest_request, expand)
        if query.get("includeTranscript") == "true":
            body["conversationThread"] = _read_transcript(case)
        return answer(body)


def _reach_provider() -> AgentMailClient:
    return AgentMailClient.from_settings(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, deadline=TOTAL_SECONDS
    )


def _read_transcript(case: Case) -> str | None:
    view = read_thread(case.id, client=_reach_provider())
    return render_transcript(view) if view.has_thread else None


class AttachmentView(ApiView):
    """`/cases/{id}/attachments/{attachmentId}`"""

    def get(self, request: Request, case_id: str, attachment_id: str) -> Response:
        """Answers a fresh download link, asked of the provider each time (docs/api/get-an-attachment.md)."""
        case = find_case(case_id, self.get_client(), Case.objects.only("id", "client_id"))
        # NUL is no text to PostgreSQL, and so no attachment's id.
        if "\x00" in attachment_id:
            raise AttachmentNotFound
        attachment = case.attachments.filter(attachment_id=attachment_id).last()
        if attachment is None:
            raise AttachmentNotFound
        found = _reach_provider().fetch_attachment(attachment.inbox_id, attachment.message_id, attachment.attachment_id)
        if isinstance(found, AttachmentMissing):
            raise AttachmentNotFound
        if not isinstance(found, AttachmentLink):
            logger.warning("the mail provider gave no link to an attachment of case %s: %s", case.id, found.reason)
            raise ApiError(500, "INTERNAL_ERROR", "The mail provider gave no download link; please try again.")
        expires_at = found.expires_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return answer(represent_attachment(attachment) | {"downloadUrl": found.download_url, "expiresAt": expires_at})


class CancelView(ApiView):
    """`/cases/{id}/cancel`"""

    def post(self, request: Request, case_id: str) -> Response:
        """Ends a case within the request and answers 202, a second call too (docs/api/cancel-a-case.md)."""
        client = self.get_client()
        case = find_case(case_id, client, Case.objects.only("id", "client_id"))
        try:
            ended = services.cancel_case(case.id, by=f"API: {client.name}"[:ANSWERED_BY_LENGTH], now=timezone.now())
        except services.CaseAlreadyFinished:
            _refuse("CASE_ALREADY_FINISHED", "The case has ended already, so there is nothing to cancel.")
        return answer({"caseId": str(ended.id), "status": ended.status}, 202)


class InputView(ApiView):
    """`/cases/{id}/input`"""

    def post(self, request: Request, case_id: str) -> Response | HttpResponse:
        """Takes a human's answer and answers 202 (docs/api/provide-input.md).

        With an Idempotency-Key a repeated request gets the first answer again, whatever has become of the case.
        """
        client = self.get_client()
        now = timezone.now()
        return answer_once(request, client.pk, lambda: _take_input(request, client, case_id, now), now=now)


def _take_input(request: Request, client: Client, case_id: str, now: datetime) -> Response:
    case = find_case(case_id, client, Case.objects.only("id", "client_id"))
    given = read_answer(read_body(request))
    try:
        services.answer_input_request(
            case.id,
            given.input_request_id,
            given.text,
            answered_by=f"API: {client.name}"[:ANSWERED_BY_LENGTH],
            now=now,
        )
    except services.CaseNotWaiting:
        _refuse("CASE_NOT_WAITING_FOR_INPUT", "The case does not wait for input.")
    except services.InputRequestMismatch:
        _refuse("INPUT_REQUEST_MISMATCH", "This is not the case's active input request; read the case for its id.")
    except services.InputRequestNotPending:
        _refuse("INPUT_REQUEST_NOT_PENDING", "This input request has been answered already.")
    return answer({"caseId": str(case.id), "inputRequestId": given.input_request_id, "accepted": True}, 202)


def _refuse(code: str, message: str) -> NoReturn:
    raise ApiError(409, code, message)
