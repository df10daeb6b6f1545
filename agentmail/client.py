"""AgentMail's HTTP API, the only module that knows it; must not touch the database.

Every call ends in a value of agentmail.outcomes and raises nothing. Calls share no connection and no state, so one
client serves any number of threads.
"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote, urlencode

from django.conf import settings

from agentmail.cleaning import clean_id, clean_line, load_json
from agentmail.inbound import InboundMail, parse_message
from agentmail.outcomes import (
    Absent,
    AttachmentLink,
    AttachmentMissing,
    AttachmentRead,
    FetchedMessage,
    FetchedThread,
    FetchFailed,
    Found,
    ListedMessage,
    ListedMessages,
    LookUp,
    LookUpFailed,
    MessageList,
    MessageMissing,
    MessageRead,
    Misconfigured,
    NotNow,
    OriginalLink,
    OriginalRead,
    Refused,
    SendOutcome,
    Sent,
    ThreadMessage,
    ThreadMissing,
    ThreadRead,
    Unknown,
)
from agentmail.transport import Answered, Exchange, Lost, NotSent, Unusable, exchange

DEADLINE_S = 45.0
MAX_ANSWER_BYTES = 5_000_000

# Messages carry their bodies, so a full page of 100 could exceed MAX_ANSWER_BYTES.
THREAD_PAGE = 25
# Lists carry no bodies.
LIST_PAGE = 100
MAX_PAGES = 40
# One unauthenticated reply hides its whole thread, our own mail included, from a plain list.
EVERYTHING = {f"include_{what}": "true" for what in ("unauthenticated", "spam", "blocked", "trash")}

_REASON_CHARS = 500
_MAX_RETRY_AFTER_S = 86_400.0


class AgentMailClient:
    """One AgentMail account."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        connect_timeout: float = 5,
        read_timeout: float = 30,
        deadline: float = DEADLINE_S,
    ) -> None:
        """Times in seconds; `deadline` bounds a whole call, all pages of a thread included."""
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._deadline = deadline

    @classmethod
    def from_settings(
        cls, *, connect_timeout: float = 5, read_timeout: float = 30, deadline: float = DEADLINE_S
    ) -> Self:
        """Returns a client for AGENTMAIL_BASE_URL and AGENTMAIL_API_KEY; times in seconds."""
        return cls(
            settings.AGENTMAIL_BASE_URL,
            settings.AGENTMAIL_API_KEY,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            deadline=deadline,
        )

    def send(self, mail_payload: str, inbox_id: str, idempotency_key: str, reply_to_message_id: str) -> SendOutcome:
        """Returns how the send of a frozen payload ended. The same arguments make the identical request.

        `reply_to_message_id` "" opens a new thread. Repeating under the same key sends no second mail, within 24 h.
        """
        path = f"/inboxes/{_segment(inbox_id)}/messages/send"
        if reply_to_message_id:
            path = f"/inboxes/{_segment(inbox_id)}/messages/{_segment(reply_to_message_id)}/reply"
        result = self._call(
            "POST",
            path,
            self._deadline,
            body=mail_payload.encode(),
            extra={"Content-Type": "application/json", "Idempotency-Key": idempotency_key},
        )
        match result:
            case Answered():
                return _classify_send(result, is_reply=bool(reply_to_message_id))
            case NotSent(reason):
                return NotNow(clean_line(reason)[:_REASON_CHARS])
            case Unusable(reason):
                return Misconfigured(_configuration(reason))
            case Lost(reason):
                return Unknown(clean_line(reason)[:_REASON_CHARS])

    def find_by_label(self, inbox_id: str, label: str) -> LookUp:
        """Returns whether the provider lists a mail with the label. Absent once proves little: its lists may lag."""
        query = {"labels": json.dumps([label]), "limit": "10"} | EVERYTHING
        pages = self._pages(f"/inboxes/{_segment(inbox_id)}/messages", query)
        if isinstance(pages, str | None):
            return LookUpFailed(pages or "404: the provider does not know the inbox")
        messages = [message for page in pages for message in page]
        for message in messages:
            labels = message.get("labels")
            ids = clean_id(message.get("message_id")), clean_id(message.get("thread_id"))
            # A server that ignores the filter must not make us adopt another mail.
            if isinstance(labels, list) and label in labels and all(ids):
                return Found(*ids)
        return LookUpFailed("the answer lists only mail without the label") if messages else Absent()

    def fetch_thread(self, inbox_id: str, thread_id: str) -> ThreadRead:
        """Returns all messages of the thread, oldest first, each once."""
        path = f"/inboxes/{_segment(inbox_id)}/threads/{_segment(thread_id)}"
        pages = self._pages(path, {"limit": str(THREAD_PAGE)})
        if pages is None:
            return ThreadMissing()
        if isinstance(pages, str):
            return FetchFailed(pages)
        found: dict[str, ThreadMessage] = {}
        # The first page holds the newest messages, each page its own in ascending order.
        for raw in (message for page in reversed(pages) for message in page):
            mail = parse_message(raw, inbox_id=inbox_id, thread_id=thread_id)
            if mail is not None:
                found.setdefault(mail.message_id, ThreadMessage(mail, _is_ours(mail, raw)))
        return FetchedThread(tuple(found.values()))

    def list_messages(self, inbox_id: str, after: datetime, page_token: str) -> MessageList:
        """Returns one page of what the inbox sent and received after that time, spam and the like included."""
        query = {"after": after.isoformat(), "ascending": "true", "limit": str(LIST_PAGE)} | EVERYTHING
        if page_token:
            query["page_token"] = page_token
        path = f"/inboxes/{_segment(inbox_id)}/messages?{urlencode(query, quote_via=quote)}"
        content = _read_object(self._call("GET", path, self._deadline))
        if isinstance(content, str):
            return FetchFailed(content)
        raw_messages, following = content.get("messages"), content.get("next_page_token") or ""
        if not isinstance(raw_messages, list):
            return FetchFailed("the answer has no messages")
        if not isinstance(following, str) or (following and following == page_token):
            return FetchFailed("the answer leads back to the same page")
        found = []
        for raw in raw_messages:
            # Its thread is of no matter here, and must not decide whether the message is seen.
            mail = parse_message(raw, inbox_id=inbox_id, thread_id="-") if isinstance(raw, dict) else None
            if mail is not None:
                found.append(ListedMessage(mail.message_id, _is_ours(mail, raw), mail.sent_at))
        return ListedMessages(tuple(found), following)

    def fetch_message(self, inbox_id: str, message_id: str) -> MessageRead:
        """Returns one message of the inbox with its bodies."""
        result = self._call("GET", f"/inboxes/{_segment(inbox_id)}/messages/{_segment(message_id)}", self._deadline)
        if isinstance(result, Answered) and result.status == 404:
            return MessageMissing()
        content = _read_object(result)
        if isinstance(content, str):
            return FetchFailed(content)
        mail = parse_message(content, inbox_id=inbox_id)
        if mail is None or mail.message_id != message_id:
            return FetchFailed("the answer is not the message that was asked for")
        return FetchedMessage(mail)

    def fetch_original(self, inbox_id: str, message_id: str) -> OriginalRead:
        """Returns a fresh link to the whole mail as it travelled, headers included; fetch it again, don't store it."""
        path = f"/inboxes/{_segment(inbox_id)}/messages/{_segment(message_id)}/raw"
        result = self._call("GET", path, self._deadline)
        if isinstance(result, Answered) and result.status == 404:
            return MessageMissing()
        content = _read_object(result)
        if isinstance(content, str):
            return FetchFailed(content)
        url = content.get("download_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            return FetchFailed("the answer has no download_url")
        return OriginalLink(url)

    def fetch_attachment(self, inbox_id: str, message_id: str, attachment_id: str) -> AttachmentRead:
        """Returns a fresh download link, which expires soon: fetch it again rather than store it."""
        path = f"/inboxes/{_segment(inbox_id)}/messages/{_segment(message_id)}/attachments/{_segment(attachment_id)}"
        result = self._call("GET", path, self._deadline)
        if isinstance(result, Answered) and result.status == 404:
            return AttachmentMissing()
        content = _read_object(result)
        if isinstance(content, str):
            return FetchFailed(content)
        url, expires = content.get("download_url"), _read_expiry(content.get("expires_at"))
        if not isinstance(url, str) or not url.startswith(("https://", "http://")) or expires is None:
            return FetchFailed("the answer has no download_url or no expires_at")
        size = content.get("size")
        return AttachmentLink(
            attachment_id=attachment_id,
            filename=clean_line(str(content.get("filename") or "")),
            content_type=clean_line(str(content.get("content_type") or "")),
            size=size if isinstance(size, int) else 0,
            download_url=url,
            expires_at=expires,
        )

    def _pages(self, path: str, query: dict[str, str]) -> list[list[dict[str, Any]]] | str | None:
        """Returns the `messages` of every page, newest page first; a reason when one failed; None for a 404."""
        ends_at = time.monotonic() + self._deadline
        pages: list[list[dict[str, Any]]] = []
        token = ""
        while len(pages) < MAX_PAGES:
            page_query = urlencode(query | ({"page_token": token} if token else {}), quote_via=quote)
            seconds_left = ends_at - time.monotonic()
            if seconds_left <= 0:
                return f"not all pages came within {self._deadline:g} s"
            result = self._call("GET", f"{path}?{page_query}", seconds_left)
            if isinstance(result, Answered) and result.status == 404:
                return None
            content = _read_object(result)
            if isinstance(content, str):
                return content
            messages = content.get("messages")
            if not isinstance(messages, list):
                return "the answer has no messages"
            pages.append([message for message in messages if isinstance(message, dict)])
            following = content.get("next_page_token")
            if not following:
                return pages
            if not isinstance(following, str) or following == token:
                return "the answer leads back to the same page"
            token = following
        return f"more than {MAX_PAGES} pages"

    def _call(
        self, method: str, path: str, deadline: float, *, body: bytes | None = None, extra: dict[str, str] | None = None
    ) -> Exchange:
        headers = {"Authorization": f"Bearer {self._api_key}", "Accept": "application/json", "User-Agent": "Offload"}
        return exchange(
            method,
            self._base_url + path,
            headers=headers | (extra or {}),
            body=body,
            connect_timeout_s=self._connect_timeout,
            read_timeout_s=self._read_timeout,
            deadline_s=deadline,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )


def _is_ours(mail: InboundMail, raw: Mapping[str, Any]) -> bool:
    labels = raw.get("labels")
    is_sent = isinstance(labels, list) and "sent" in labels and "received" not in labels
    return is_sent or mail.from_address.lower() == mail.inbox_id.lower()


def _segment(provider_id: str) -> str:
    # Message ids are RFC Message-IDs, whose senders choose them: < > @ always, / ? # % at times.
    return quote(provider_id, safe="")


def _classify_send(answer: Answered, *, is_reply: bool) -> SendOutcome:
    content = _read_json(answer)
    code, reason = _read_error(answer.status, content)
    match answer.status:
        case status if 200 <= status < 300:
            ids = clean_id(content.get("message_id")), clean_id(content.get("thread_id"))
            return Sent(*ids) if all(ids) else Unknown(f"{status} without message_id and thread_id")
        case 429:
            return NotNow(reason, _read_retry_after(answer))
        case 400 | 413 | 422:
            return Refused(code, reason)
        case 404 if code and not is_reply:
            # Only the inbox can be missing then, and that is ours to set.
            return Misconfigured(clean_line(f"check AGENTMAIL_INBOX_ID: {reason}")[:_REASON_CHARS])
        case 404 if code:
            return Refused(code, reason)
        case 403 if code == "message_rejected" and "suspend" not in reason.lower():
            return Refused(code, reason)
        case status if status in (408, 409) or not 400 <= status < 500:
            return Unknown(reason)
        case 404:
            return Misconfigured(_configuration(f"{reason}, in no form that AgentMail answers in"))
        case _:
            return Misconfigured(reason)


def _read_error(status: int, content: dict[str, Any]) -> tuple[str, str]:
    """Returns (code, sentence) of an error body `{name, code?, message, fix?, errors?}`; the code is stable."""
    code = content.get("code") or content.get("name")
    words = [str(content[name]) for name in ("message", "fix") if isinstance(content.get(name), str)]
    errors = content.get("errors")
    faults = [fault for fault in errors if isinstance(fault, dict)] if isinstance(errors, list) else []
    words += [f"{fault.get('path')}: {fault.get('message')}" for fault in faults]
    sentence = clean_line(f"{status} {code or ''} {' '.join(words)}")[:_REASON_CHARS]
    return clean_line(str(code or ""))[:100], " ".join(sentence.split())


def _configuration(reason: str) -> str:
    return clean_line(f"check AGENTMAIL_BASE_URL and AGENTMAIL_API_KEY: {reason}")[:_REASON_CHARS]


def _read_json(answer: Answered) -> dict[str, Any]:
    try:
        content = load_json(answer.body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _read_object(result: Exchange) -> dict[str, Any] | str:
    """Returns the JSON object of a 200 answer, or the reason why there is none."""
    if not isinstance(result, Answered):
        return clean_line(result.reason)[:_REASON_CHARS]
    content = _read_json(result)
    if result.status != 200:
        return _read_error(result.status, content)[1]
    return content or "200 without a JSON object"


def _read_retry_after(answer: Answered) -> float | None:
    """Seconds only; RFC 9110 also allows a date, and without a number our own backoff decides."""
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _MAX_RETRY_AFTER_S else None


def _read_expiry(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
