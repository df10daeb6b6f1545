"""Settings that let Offload start and are still not right for production; must not repeat offload.checks."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import LazySettings
from django.core import checks
from django.http.request import validate_host

from offload.doctor.findings import Finding, fail, ok, warn
from offload.doctor.places import Place


def check_settings(settings: LazySettings) -> list[Finding]:
    """Returns what the settings leave open; they are valid, or this process would not run."""
    if settings.OFFLOAD_MODE != "production":
        return [warn("settings", "local mode, for one's own machine", "for production unset OFFLOAD_MODE")]
    found = list(_list_doubts(settings))
    return found or [ok("settings", "complete and safe for production")]


def _list_doubts(settings: LazySettings) -> Iterator[Finding]:
    url = urlsplit(settings.OFFLOAD_PUBLIC_URL)
    if not url.hostname:
        yield warn(
            "settings",
            "OFFLOAD_PUBLIC_URL is not set, so nobody can tell whether mail is reported here",
            "set it to this installation's address, such as https://offload.example.com",
        )
    elif not validate_host(url.hostname, settings.ALLOWED_HOSTS):
        yield fail(
            "settings",
            f"the web process answers 400 to {url.hostname}, the host of OFFLOAD_PUBLIC_URL",
            f"add {url.hostname} to OFFLOAD_ALLOWED_HOSTS, and restart web",
        )
    if url.hostname and url.scheme != "https":
        yield warn(
            "settings",
            "OFFLOAD_PUBLIC_URL is http: keys and mail travel in the clear",
            "put a proxy with a certificate in front, and set OFFLOAD_PUBLIC_URL to its https address",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield warn("settings", "OFFLOAD_ALLOWED_HOSTS allows every host", "set it to the names that clients use")
    origin = f"{url.scheme}://{url.netloc}"
    if url.scheme == "https" and origin not in settings.CSRF_TRUSTED_ORIGINS:
        yield warn(
            "settings",
            f"the admin refuses its own forms if the proxy hides {origin}",
            f"add {origin} to OFFLOAD_CSRF_TRUSTED_ORIGINS, and restart web",
        )
    if not settings.OFFLOAD_METRICS_TOKEN:
        yield warn(
            "settings",
            "OFFLOAD_METRICS_TOKEN is not set, so GET /metrics is closed and nobody is alerted",
            "set it to 16 random characters or more, and restart web",
        )


def check_django(settings: LazySettings) -> list[Finding]:
    """Returns what Django's own checks find; in production those of `check --deploy` too."""
    messages = checks.run_checks(include_deployment_checks=settings.OFFLOAD_MODE == "production", databases=[])
    found = []
    for message in messages:
        if message.is_silenced():
            continue
        first = str(message.msg).split("\n", 1)[0]
        is_error = message.level >= checks.ERROR
        found.append((fail if is_error else warn)("django", f"{message.id}: {first}", str(message.hint or "")))
    return found or [ok("django", "Django's own checks find nothing")]


def check_webhooks(settings: LazySettings) -> list[Finding]:
    """Returns whether client webhooks can be aimed at the network this runs in."""
    if settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE:
        return [
            warn(
                "client webhooks",
                "they may go to private addresses, which is for local use",
                "unset OFFLOAD_WEBHOOK_ALLOW_PRIVATE, and restart web and worker",
            )
        ]
    return [ok("client webhooks", "private addresses are refused")]


def check_static(settings: LazySettings, place: Place) -> list[Finding]:
    """Returns whether the admin's styles were collected for the web process."""
    if settings.STATIC_ROOT.is_dir() and any(settings.STATIC_ROOT.iterdir()):
        return [ok("static files", "collected")]
    return [
        warn("static files", "the admin has no styles", command=place.manage("collectstatic --no-input"))
        if settings.OFFLOAD_MODE == "production"
        else ok("static files", "served by the local stack")
    ]
