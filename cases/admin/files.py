"""Fresh links to the files of a mail; must not run inside a transaction, because it asks the provider."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from agentmail.client import AgentMailClient
from agentmail.outcomes import AttachmentLink, AttachmentMissing
from cases.models import Attachment

logger = logging.getLogger(__name__)

NO_LINK = "The mail provider gave no download link; please try again."
FILE_GONE = "The mail provider does not have this file any more."


class NoDownload(Exception):
    """There is no link; `sentence` says why to the person who asked."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def fetch_download_url(attachment: Attachment) -> str:
    """Returns an http(s) link that expires soon, within 8 s. Raises NoDownload. Asking again gives another link."""
    client = AgentMailClient.from_settings(connect_timeout=2, read_timeout=5, deadline=8)
    found = client.fetch_attachment(attachment.inbox_id, attachment.message_id, attachment.attachment_id)
    if isinstance(found, AttachmentMissing):
        raise NoDownload(FILE_GONE)
    if not isinstance(found, AttachmentLink):
        logger.warning("the mail provider gave no link to attachment %s: %s", attachment.pk, found.reason)
        raise NoDownload(NO_LINK)
    if urlsplit(found.download_url).scheme not in ("http", "https"):
        raise NoDownload(NO_LINK)
    return found.download_url
