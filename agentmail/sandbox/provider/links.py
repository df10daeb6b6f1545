"""Short-lived signed links to files, and the view that serves them without a key; must not list anything."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from agentmail.sandbox.clock import Moment, read_moment
from agentmail.sandbox.jsontext import JSONObject
from agentmail.sandbox.models import Attachment, Message
from agentmail.sandbox.shapes import attachment_json, iso

LIFETIME = timedelta(hours=1)

_SALT = "agentmail.sandbox.file"


def link_to_attachment(request: HttpRequest, attachment: Attachment, at: Moment) -> JSONObject:
    """Returns the provider's AttachmentResponse: metadata, `download_url`, `expires_at` one hour ahead."""
    return attachment_json(attachment) | _make_link(request, "attachment", attachment.pk, at)


def link_to_raw(request: HttpRequest, message: Message, at: Moment) -> JSONObject:
    """Returns `download_url` and `expires_at` of the mail as RFC 5322 text."""
    return _make_link(request, "raw", message.pk, at)


@require_safe
def serve_file(_request: HttpRequest, token: str) -> HttpResponse:
    """GET a signed link: the file as a download; 403 when the link is forged or over, 404 when the file is gone."""
    try:
        kind, key, expires_at = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return _refuse(403, "AccessDeniedError", "The link is not valid")
    if read_moment().provider >= datetime.fromtimestamp(expires_at, UTC):
        return _refuse(403, "AccessDeniedError", "The link has expired; ask the API for a fresh one")
    return _SERVERS[kind](key)


def _make_link(request: HttpRequest, kind: str, key: int, at: Moment) -> JSONObject:
    expires_at = at.provider + LIFETIME
    token = signing.dumps([kind, key, int(expires_at.timestamp())], salt=_SALT)
    url = request.build_absolute_uri(reverse("sandbox:file", args=[token]))
    return {"download_url": url, "expires_at": iso(expires_at)}


def _serve_attachment(key: int) -> HttpResponse:
    attachment = Attachment.objects.filter(pk=key).first()
    if attachment is None:
        return _refuse(404, "NotFoundError", "The file does not exist any more")
    return _download(bytes(attachment.content), attachment.filename or "attachment")


def _serve_raw(key: int) -> HttpResponse:
    message = Message.objects.filter(pk=key).select_related("inbox", "thread").first()
    if message is None:
        return _refuse(404, "NotFoundError", "The message does not exist any more")
    return _download(_write_mail(message), "message.eml")


def _download(content: bytes, filename: str) -> HttpResponse:
    # Whatever a stranger sent must never be shown by the browser under this origin.
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=filename) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _refuse(status: int, name: str, message: str) -> HttpResponse:
    return JsonResponse({"name": name, "message": message}, status=status)


def _write_mail(message: Message) -> bytes:
    mail = EmailMessage(policy=SMTP)
    headers = {
        "From": message.from_header,
        "To": ", ".join(message.to),
        "Cc": ", ".join(message.cc),
        "Subject": message.subject,
        "Date": format_datetime(message.timestamp),
        "Message-ID": message.message_id,
        "In-Reply-To": message.in_reply_to,
        "References": " ".join(message.references),
    }
    for name, value in headers.items():
        if value:
            mail[name] = value
    mail.set_content(message.text or "")
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
    for attachment in message.attachments.all():
        main_type, _, sub_type = attachment.content_type.partition("/")
        mail.add_attachment(
            bytes(attachment.content),
            maintype=main_type if sub_type else "application",
            subtype=sub_type or "octet-stream",
            filename=attachment.filename or "attachment",
        )
    return mail.as_bytes()


_SERVERS: dict[str, Callable[[int], HttpResponse]] = {"attachment": _serve_attachment, "raw": _serve_raw}
