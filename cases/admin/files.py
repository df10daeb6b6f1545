"""Fresh links to the files of a mail and to the mail itself; asks the provider, so never inside a transaction."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from agentmail.client import AgentMailClient
from agentmail.models import InboundEmail, OutboundEmail
from agentmail.outcomes import AttachmentLink, AttachmentMissing, MessageMissing, OriginalLink
from cases.models import Attachment

logger = logging.getLogger(__name__)

NO_LINK = "The mail provider gave no download link; please try again."
FILE_GONE = "The mail provider does not have this file any more."
MAIL_GONE = "The mail provider does not have the original of this mail any more."


class NoDownload(Exception):
    """There is no link; `sentence` says why to the person who asked."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def fetch_download_url(attachment: Attachment) -> str:
    """Returns an http(s) link that expires soon, within 8 s. Raises NoDownload. Asking again gives another link."""
    found = _make_client().fetch_attachment(attachment.inbox_id, attachment.message_id, attachment.attachment_id)
    if isinstance(found, AttachmentMissing):
        raise NoDownload(FILE_GONE)
    if not isinstance(found, AttachmentLink):
        logger.warning("the mail provider gave no link to attachment %s: %s", attachment.pk, found.reason)
        raise NoDownload(NO_LINK)
    return _check_scheme(found.download_url)


def fetch_original_url(mail: InboundEmail | OutboundEmail) -> str:
    """Returns a link to the whole mail as it travelled, as `fetch_download_url` does to a file."""
    found = _make_client().fetch_original(mail.inbox_id, mail.message_id)
    if isinstance(found, MessageMissing):
        raise NoDownload(MAIL_GONE)
    if not isinstance(found, OriginalLink):
        logger.warning("the mail provider gave no link to the original of mail %s: %s", mail.pk, found.reason)
        raise NoDownload(NO_LINK)
    return _check_scheme(found.download_url)


def _make_client() -> AgentMailClient:
    return AgentMailClient.from_settings(connect_timeout=2, read_timeout=5, deadline=8)


def _check_scheme(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise NoDownload(NO_LINK)
    return url
