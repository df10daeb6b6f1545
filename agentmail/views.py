"""AgentMail's webhook: proves, reads and stores an event in one transaction; must not call anything outside."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error as DjangoDatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse, UnreadablePostError
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from agentmail.connecting import list_stored_secrets
from agentmail.inbound import WebhookRefused, parse_event, verify_webhook
from agentmail.matching import OnDeliveryFailure, OnReply, store_event

logger = logging.getLogger(__name__)

# AgentMail drops the bodies of a mail from events above 1 MB; the rest of an event is small.
MAX_BODY_BYTES = 1_500_000


def _ignore(_matched: object) -> None:
    """Stands in for a hook that nobody wired."""


@method_decorator(csrf_exempt, name="dispatch")
class AgentMailWebhookView(View):
    """POST only. The two hooks come from whoever mounts the view and run in the event's own transaction.

    200 as soon as the event is stored, whatever it holds: what is turned away comes again for a day and is then lost.
    401 when the signature proves nothing, 413 above 1.5 MB, 500 when the database fails, so that it comes again.
    """

    http_method_names = ["post"]
    on_reply: OnReply = staticmethod(_ignore)
    on_delivery_failure: OnDeliveryFailure = staticmethod(_ignore)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answers one delivery; see the class."""
        now = timezone.now()
        try:
            # Not request.body: that is bound by the API's own limit, which an event may exceed.
            raw_body = request.read(MAX_BODY_BYTES + 1)
        except UnreadablePostError:
            return _refuse(400, "INVALID_REQUEST", "The body could not be read to its end.")
        if len(raw_body) > MAX_BODY_BYTES:
            return _refuse(413, "PAYLOAD_TOO_LARGE", f"The body is larger than {MAX_BODY_BYTES} bytes.")
        try:
            delivery_id = _prove(raw_body, request.headers, now)
        except WebhookRefused as refusal:
            logger.log(
                logging.ERROR if refusal.is_our_fault else logging.WARNING, "webhook refused: %s", refusal.reason
            )
            return _refuse(401, "UNAUTHORIZED", "The signature of this webhook could not be verified.")
        except DjangoDatabaseError as error:
            logger.error("the stored webhook secret could not be read (%s)", type(error).__name__)
            return _refuse(500, "INTERNAL_ERROR", "The webhook could not be verified; send it again.")
        parsed = parse_event(raw_body, delivery_id)
        try:
            stored = store_event(parsed, now=now, on_reply=self.on_reply, on_delivery_failure=self.on_delivery_failure)
        except DjangoDatabaseError as error:
            # Without the error's own text: PostgreSQL quotes the whole row, and the row is somebody's mail.
            code = getattr(error.__cause__, "sqlstate", None)
            logger.error("event %s not stored (%s, SQLSTATE %s)", parsed.event_id, type(error).__name__, code)
            return _refuse(500, "INTERNAL_ERROR", "The event could not be stored; send it again.")
        logger.info("event %s (%s): %s", stored.event_id, parsed.event_type, stored.outcome)
        return JsonResponse({"ok": True})

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseNotAllowed:
        """Answers 405 in the envelope that every error has."""
        answer = HttpResponseNotAllowed(["POST"], content_type="application/json")
        answer.content = _refuse(405, "METHOD_NOT_ALLOWED", "This address takes POST only.").content
        return answer


def _prove(raw_body: bytes, headers: Mapping[str, str], now: datetime) -> str:
    """As verify_webhook, with the secrets of the settings first: they cost no query."""
    try:
        return verify_webhook(raw_body, headers, settings.AGENTMAIL_WEBHOOK_SECRETS, now)
    except WebhookRefused:
        stored = list_stored_secrets()
        if not stored:
            raise
        return verify_webhook(raw_body, headers, stored, now)


def _refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"ok": False, "error": {"code": code, "message": message}}, status=status)
