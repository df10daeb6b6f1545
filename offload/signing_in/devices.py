"""A person's second step: an authenticator app and ten recovery codes, kept by django-otp; must not know a page."""

from __future__ import annotations

import io
from base64 import b32encode
from datetime import datetime

import segno
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django_otp import verify_token
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

RECOVERY_CODES = 10
CODE_DIGITS = 6


def find_app(user: User) -> TOTPDevice | None:
    """Returns the app that the person confirmed, None while their login has one step."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def find_pending_app(user: User) -> TOTPDevice | None:
    """Returns the app that a set-up was begun with."""
    return TOTPDevice.objects.filter(user=user, confirmed=False).first()


def begin_set_up(user: User) -> None:
    """Makes a secret for an app; a second call makes another. Does nothing for who has two-step login already."""
    with transaction.atomic():
        _lock(user)
        if find_app(user) is None:
            TOTPDevice.objects.filter(user=user).delete()
            TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def confirm_set_up(user: User, code: str) -> tuple[TOTPDevice, list[str]] | None:
    """Turns two-step login on with a code of the app; returns the app and the recovery codes, which stand nowhere else.

    None, and nothing is turned on, for a wrong code, one within the app's own pause after a wrong one, or if no set-up
    was begun.
    """
    with transaction.atomic():
        _lock(user)
        app = find_pending_app(user)
        if app is None or not app.verify_token(_clean(code)):
            return None
        app.confirmed = True
        app.save(update_fields=["confirmed"])
        StaticDevice.objects.filter(user=user).delete()
        recovery = StaticDevice.objects.create(user=user, name="recovery codes")
        codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=recovery, token=token) for token in codes)
    return app, codes


def use_code(user: User, code: str) -> Device | None:
    """Returns the device whose code this is, and the code never works again; None for any other code.

    Only the device that such a code can be of is asked: each wrong code makes a device deaf for longer (django-otp's
    throttle: 1 s, 2 s, 4 s, …), and the recovery codes must not pay for a mistyped code of the app.
    """
    token = _clean(code)
    is_of_app = token.isascii() and token.isdigit() and len(token) == CODE_DIGITS
    device_class = TOTPDevice if is_of_app else StaticDevice
    device = device_class.objects.filter(user=user, confirmed=True).first() if token else None
    return verify_token(user, device.persistent_id, token) if device else None


def count_recovery_codes(user: User) -> int:
    """Returns how many recovery codes the person has not used."""
    left: int = StaticToken.objects.filter(device__user=user).count()
    return left


def remove(user: User) -> bool:
    """Removes app and recovery codes, so that the password suffices; returns whether two-step login was on."""
    with transaction.atomic():
        _lock(user)
        was_on = find_app(user) is not None
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
    return was_on


def end_sessions(user: User, now: datetime, keep: str | None = None) -> int:
    """Signs the person out everywhere but in the session `keep`; returns out of how many sessions.

    Reads every session there is: they are those of staff, and eight hours old at most.
    """
    ended = 0
    for session in Session.objects.filter(expire_date__gt=now).exclude(session_key=keep):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
            ended += 1
    return ended


def format_secret(app: TOTPDevice) -> str:
    """Returns the secret as a person types it into an app that cannot read the picture, in groups of four."""
    secret = b32encode(app.bin_key).decode().rstrip("=")
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def draw_secret(app: TOTPDevice) -> bytes:
    """Returns the QR code that authenticator apps read, as an SVG file without style or script."""
    picture = io.BytesIO()
    segno.make(app.config_url, error="m", micro=False).save(
        picture, kind="svg", scale=5, border=4, dark="#000", light="#fff", svgclass=None, lineclass=None
    )
    return picture.getvalue()


def _lock(user: User) -> None:
    # Two pages of one person at once: the second waits and then sees what the first did.
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()


def _clean(code: str) -> str:
    return "".join(code.split()).lower()
