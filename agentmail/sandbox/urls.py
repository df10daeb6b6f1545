"""The sandbox's routes, mounted under `/sandbox/`; must not be mounted in the product's own process."""

from django.urls import path, re_path

from agentmail.sandbox import control, pages
from agentmail.sandbox.provider.links import serve_file
from agentmail.sandbox.provider.routes import serve_provider

app_name = "sandbox"
urlpatterns = [
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
    path("", pages.list_threads, name="mailbox"),
    path("pulse", pages.pulse, name="pulse"),
    path("threads/<uuid:thread_id>/", pages.show_thread, name="thread"),
    path("threads/<uuid:thread_id>/reply", pages.reply, name="thread-reply"),
    path("threads/<uuid:thread_id>/ready-made", pages.reply_ready_made, name="thread-ready-made"),
    path("threads/<uuid:thread_id>/failure", pages.report_failure, name="thread-failure"),
]
