"""What subscribers opt in to, and the secrets that sign for them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from tests.webhooks.deliveries import SUBSCRIBER, rows
from webhooks.models import DeliveryPolicy, SigningSecret
from webhooks.policies import (
    NewSecret,
    SecretUnreadable,
    Terms,
    change_policy,
    get_policy,
    list_secrets,
    read_terms,
    rotate_secret,
)

OTHER = UUID("00000000-0000-4000-8000-000000000002")


def opt_in(now: datetime) -> NewSecret:
    made = change_policy(SUBSCRIBER, signs=True, by="ana", now=now)
    assert made is not None
    return made


def dump() -> list[list[dict[str, Any]]]:
    return [rows(DeliveryPolicy), rows(SigningSecret)]


@pytest.mark.django_db
def test_nobody_is_signed_for_or_retried_before_they_opt_in(now: datetime) -> None:
    opt_in(now)

    assert read_terms(None, now) == read_terms(OTHER, now) == Terms(secrets=(), retries=False)
    assert get_policy(OTHER) is None


@pytest.mark.django_db
def test_turning_signing_on_makes_a_secret_once(now: datetime) -> None:
    made = opt_in(now)

    assert read_terms(SUBSCRIBER, now) == Terms(secrets=(made.secret,), retries=False)
    before = dump()
    assert change_policy(SUBSCRIBER, signs=True, by="bo", now=now + timedelta(hours=1)) is None
    assert dump() == before


@pytest.mark.django_db
def test_signing_turned_off_and_on_again_keeps_its_secret(now: datetime) -> None:
    made = opt_in(now)

    assert change_policy(SUBSCRIBER, signs=False, by="ana", now=now) is None
    assert read_terms(SUBSCRIBER, now) == Terms()
    assert change_policy(SUBSCRIBER, signs=True, by="ana", now=now) is None
    assert read_terms(SUBSCRIBER, now).secrets == (made.secret,)


@pytest.mark.django_db
def test_signing_and_retries_are_chosen_apart(now: datetime) -> None:
    assert change_policy(SUBSCRIBER, retries=True, by="ana", now=now) is None
    assert read_terms(SUBSCRIBER, now) == Terms(secrets=(), retries=True)

    made = opt_in(now)

    assert read_terms(SUBSCRIBER, now) == Terms(secrets=(made.secret,), retries=True)


@pytest.mark.django_db
def test_neither_the_database_nor_a_printed_value_holds_a_secret(now: datetime) -> None:
    made = opt_in(now)

    assert made.secret.removeprefix("whsec_") not in repr(dump())
    assert made.secret not in repr(made)
    assert made.secret not in repr(read_terms(SUBSCRIBER, now))


@pytest.mark.django_db
def test_for_a_day_the_secret_before_signs_beside_its_successor(now: datetime) -> None:
    first = opt_in(now)

    second = rotate_secret(SUBSCRIBER, by="ana", now=now)

    last_moment = now + timedelta(hours=24, microseconds=-1)
    assert read_terms(SUBSCRIBER, last_moment).secrets == (second.secret, first.secret)
    assert read_terms(SUBSCRIBER, now + timedelta(hours=24)).secrets == (second.secret,)


@pytest.mark.django_db
def test_a_leaked_secret_ends_at_once_and_so_do_those_before_it(now: datetime) -> None:
    opt_in(now)
    rotate_secret(SUBSCRIBER, by="ana", now=now, overlap=timedelta(days=30))

    last = rotate_secret(SUBSCRIBER, by="ana", now=now, overlap=timedelta(0))

    assert read_terms(SUBSCRIBER, now).secrets == (last.secret,)


@pytest.mark.django_db
def test_a_rotation_gives_no_secret_a_longer_life_than_it_had(now: datetime) -> None:
    first = opt_in(now)
    rotate_secret(SUBSCRIBER, by="ana", now=now, overlap=timedelta(hours=1))

    rotate_secret(SUBSCRIBER, by="ana", now=now, overlap=timedelta(hours=24))

    assert first.secret not in read_terms(SUBSCRIBER, now + timedelta(hours=1)).secrets
    assert len(read_terms(SUBSCRIBER, now + timedelta(hours=1)).secrets) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
def test_an_overlap_out_of_range_is_refused_and_changes_nothing(now: datetime, overlap: timedelta) -> None:
    opt_in(now)
    before = dump()

    with pytest.raises(ValueError, match="0 to 720 hours"):
        rotate_secret(SUBSCRIBER, by="ana", now=now, overlap=overlap)

    assert dump() == before


@pytest.mark.django_db
def test_a_secret_can_be_made_before_signing_is_turned_on(now: datetime) -> None:
    made = rotate_secret(SUBSCRIBER, by="ana", now=now)

    assert read_terms(SUBSCRIBER, now) == Terms()
    assert change_policy(SUBSCRIBER, signs=True, by="ana", now=now) is None
    assert read_terms(SUBSCRIBER, now).secrets == (made.secret,)


@pytest.mark.django_db
def test_a_secret_outlives_a_change_of_the_key_while_the_key_before_is_named(now: datetime, settings: Settings) -> None:
    made = opt_in(now)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key of the installation"

    assert read_terms(SUBSCRIBER, now).secrets == (made.secret,)
    second = rotate_secret(SUBSCRIBER, by="ana", now=now)
    settings.SECRET_KEY_FALLBACKS = []

    # The one before cannot be made any more, and its successor can.
    assert read_terms(SUBSCRIBER, now).secrets == (second.secret,)


@pytest.mark.django_db
def test_without_the_key_that_made_it_a_secret_cannot_be_read_and_nothing_else_stands_in(
    now: datetime, settings: Settings
) -> None:
    opt_in(now)
    settings.SECRET_KEY = "another key of the installation"

    with pytest.raises(SecretUnreadable):
        read_terms(SUBSCRIBER, now)


@pytest.mark.django_db
def test_the_secrets_in_force_are_listed_with_who_made_them(now: datetime) -> None:
    first = opt_in(now)
    second = rotate_secret(SUBSCRIBER, by="bo", now=now)

    listed = [(row.fingerprint, row.created_by, row.expires_at) for row in list_secrets(SUBSCRIBER, now)]

    assert listed == [
        (second.row.fingerprint, "bo", None),
        (first.row.fingerprint, "ana", now + timedelta(hours=24)),
    ]


@pytest.mark.django_db(transaction=True)
def test_of_eight_rotations_at_once_each_makes_a_secret_and_one_stays(now: datetime) -> None:
    barrier = threading.Barrier(8)

    def rotate(_: int) -> str:
        try:
            barrier.wait(30)
            return rotate_secret(SUBSCRIBER, by="ana", now=now).secret
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(rotate, range(8)))

    assert len(made) == 8
    assert SigningSecret.objects.filter(subscriber=SUBSCRIBER).count() == 8
    assert SigningSecret.objects.filter(subscriber=SUBSCRIBER, expires_at=None).count() == 1
