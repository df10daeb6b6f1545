"""The sandbox's routes, mounted under `/sandbox/`; must not be mounted in the product's own process."""

from django.urls import URLPattern, path, re_path

from agentmail.sandbox import control, pages
from agentmail.sandbox.beside import Beside
from agentmail.sandbox.provider.links import serve_file
from agentmail.sandbox.provider.routes import serve_provider

APP_NAME = "sandbox"
_API = [
    path("livez", control.live, name="livez"),
    path("inbound", control.inbound, name="inbound"),
    path("bounce", control.bounce, name="bounce"),
    path("complaint", control.complaint, name="complaint"),
    path("reject", control.reject, name="reject"),
    path("outbox", control.outbox, name="outbox"),
    path("messages", control.messages, name="messages"),
    path("faults", control.faults, name="faults"),
    path("blocked", control.blocked, name="blocked"),
    path("clock", control.clock, name="clock"),
    path("webhooks", control.deliveries, name="webhooks"),
    # One view for the whole API: it splits the path itself, before decoding. An id may decode to anything, a line
    # break too, which the `path` converter does not match.
    re_path(r"^agentmail/v0(?:/[\s\S]*)?\Z", serve_provider, name="provider"),
    path("files/<str:token>", serve_file, name="file"),
]


def make_routes(beside: Beside) -> list[URLPattern]:
    """Returns the routes of the provider, of the control API and of the pages, which show `beside` next to the mail."""
    shown = {"beside": beside}
    thread = "threads/<uuid:thread_id>/"
    return [
        *_API,
        path("", pages.list_threads, shown, name="mailbox"),
        path(thread, pages.show_thread, shown, name="thread"),
        path(f"{thread}reply", pages.reply, shown, name="thread-reply"),
        path(f"{thread}failure", pages.report_failure, name="thread-failure"),
    ]
