"""How many failed attempts to sign in are heard (docs/adr/0008 and docs/console.md); must not look at a password.

An attempt is counted before the password is looked at and uncounted when it succeeds, so that a hundred guesses at once
are as many as a hundred in a row. What is stored is digests: people type passwords into the field of the name.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from cases.api import limits

WINDOW_S = 15 * 60
# One address alone never reaches the limit of a name, so it cannot keep the name's owner out of another address.
PER_NAME_AND_ADDRESS = 5
PER_NAME = 20
PER_ADDRESS = 50
PER_BROWSER = 5

# A browser in which the person signed in before has a count of its own, whatever strangers do to the name and to the
# address (OWASP, "Slow down online guessing attacks with device cookies").
COOKIE = "offload_browser"
COOKIE_SALT = "offload.signing_in"
COOKIE_AGE_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Count:
    """One count that an attempt adds to; a success forgives all of a count that is `own`, else only itself."""

    subject: str
    limit: int
    own: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted, or with `wait_s` above 0 one that was refused and must not be heard."""

    wait_s: float
    counts: tuple[Count, ...] = ()


def begin_attempt(request: HttpRequest, name: str) -> Attempt:
    """Counts an attempt to sign in under a name, known or not, as failed until `succeed` says otherwise.

    One statement for each count; a refused attempt adds to none.
    """
    counts = _list_counts(request, name)
    for position, count in enumerate(counts):
        if wait_s := limits.take(count.subject, count.limit, WINDOW_S):
            for earlier in counts[:position]:
                limits.give_back(earlier.subject, earlier.limit, WINDOW_S)
            return Attempt(wait_s)
    return Attempt(0.0, counts)


def succeed(attempt: Attempt) -> None:
    """Forgets the failures that this person had before, and of the address' count this attempt alone."""
    for count in attempt.counts:
        if count.own:
            limits.forgive(count.subject)
        else:
            limits.give_back(count.subject, count.limit, WINDOW_S)


def remember_browser(response: HttpResponseBase, name: str) -> None:
    """Gives the browser of somebody who has just signed in its own count, for 90 days."""
    response.set_signed_cookie(
        COOKIE,
        f"{_digest(name)}:{secrets.token_hex(8)}",
        salt=COOKIE_SALT,
        max_age=COOKIE_AGE_S,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def describe_wait(wait_s: float) -> str:
    """Returns what a person who is refused is told; the same for a name that exists and one that does not."""
    minutes = max(1, math.ceil(wait_s / 60))
    return f"Too many failed attempts to sign in. Try again in {minutes} minute{'s' if minutes > 1 else ''}."


def _list_counts(request: HttpRequest, name: str) -> tuple[Count, ...]:
    known = request.get_signed_cookie(COOKIE, "", salt=COOKIE_SALT, max_age=COOKIE_AGE_S) or ""
    owner, _, browser = known.partition(":")
    if browser and owner == _digest(name):
        return (Count(f"sign-in:browser:{browser}", PER_BROWSER),)
    address = limits.find_address(request.META, settings.OFFLOAD_TRUSTED_PROXIES)
    return (
        Count(f"sign-in:both:{_digest(f'{name} {address}')}", PER_NAME_AND_ADDRESS),
        Count(f"sign-in:name:{_digest(name)}", PER_NAME),
        Count(f"sign-in:address:{_digest(address)}", PER_ADDRESS, own=False),
    )


def _digest(text: str) -> str:
    return salted_hmac(COOKIE_SALT, text.strip().casefold(), algorithm="sha256").hexdigest()[:32]
