"""What each seeded group may open and do, page by page, and that no page shows a secret to anybody."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client as HttpClient

from agentmail.models import RegisteredWebhook
from cases.models import ApiKey
from tests.cases.admin.groups import GROUPS, seed_groups, sign_in_as
from tests.cases.admin.world import NOW, list_urls, make_world
from webhooks.policies import rotate_secret

PEOPLE = ("nobody", *GROUPS, "superuser")
# 200 shows the page or its question, 302 leads to where the answer is, 403 is forbidden, 404 an overview of nothing.
# page                                           nobody Support Operator Auditor superuser
TABLE = """
index                                            200 200 200 200 200
password_change                                  200 200 200 200 200
two_step                                         200 200 200 200 200
two_step_secret                                  404 404 404 404 404
cases_case_answer                                403 302 302 403 302
cases_case_answering                             403 302 302 403 302
cases_case_file                                  403 302 302 302 302
cases_case_mail                                  403 200 200 200 200
cases_case_action pause                          403 200 200 403 200
cases_case_action resume                         403 302 302 403 302
cases_case_action follow-up                      403 302 302 403 302
cases_case_action reevaluate                     403 302 302 403 302
cases_case_action complete                       403 403 200 403 200
cases_case_action fail                           403 403 200 403 200
cases_case_action cancel                         403 200 200 403 200
cases_case_note                                  403 302 302 403 302
cases_case_requeue                               403 403 200 403 200
cases_case_give_up                               403 403 200 403 200
cases_case_changelist                            403 200 200 200 200
cases_case_add                                   403 403 403 403 403
cases_case_history                               403 200 200 200 200
cases_case_delete                                403 403 403 403 403
cases_case_change                                403 200 200 200 200
cases_client_webhooks                            403 200 200 200 200
cases_client_webhook_secret                      403 403 200 403 200
cases_client_webhook_resend                      403 200 200 403 200
cases_client_new_key                             403 403 200 403 200
cases_client_changelist                          403 200 200 200 200
cases_client_add                                 403 403 403 403 403
cases_client_history                             403 200 200 200 200
cases_client_delete                              403 403 403 403 403
cases_client_change                              403 200 200 200 200
cases_apikey_revoke                              403 403 200 403 200
cases_apikey_changelist                          403 403 200 200 200
cases_apikey_add                                 403 403 403 403 403
cases_apikey_history                             403 403 200 200 200
cases_apikey_delete                              403 403 403 403 403
cases_apikey_change                              403 403 200 200 200
auth_group_changelist                            403 403 403 200 200
auth_group_add                                   403 403 403 403 200
auth_group_history                               403 403 403 200 200
auth_group_delete                                403 403 403 403 200
auth_group_change                                403 403 403 200 200
auth_user_password_change                        403 403 403 403 200
auth_user_changelist                             403 403 403 200 200
auth_user_add                                    403 403 403 403 200
auth_user_history                                403 403 403 200 200
auth_user_delete                                 403 403 403 403 200
auth_user_change                                 403 403 403 200 200
django_celery_beat_periodictask_changelist       403 403 200 200 200
django_celery_beat_periodictask_add              403 403 403 403 200
django_celery_beat_periodictask_history          403 403 200 200 200
django_celery_beat_periodictask_delete           403 403 403 403 200
django_celery_beat_periodictask_change           403 403 200 200 200
django_celery_beat_clockedschedule_changelist    403 403 200 200 200
django_celery_beat_clockedschedule_add           403 403 403 403 200
django_celery_beat_clockedschedule_history       403 403 200 200 200
django_celery_beat_clockedschedule_delete        403 403 403 403 200
django_celery_beat_clockedschedule_change        403 403 200 200 200
django_celery_beat_crontabschedule_changelist    403 403 200 200 200
django_celery_beat_crontabschedule_add           403 403 403 403 200
django_celery_beat_crontabschedule_history       403 403 200 200 200
django_celery_beat_crontabschedule_delete        403 403 403 403 200
django_celery_beat_crontabschedule_change        403 403 200 200 200
django_celery_beat_solarschedule_changelist      403 403 200 200 200
django_celery_beat_solarschedule_add             403 403 403 403 200
django_celery_beat_solarschedule_history         403 403 200 200 200
django_celery_beat_solarschedule_delete          403 403 403 403 200
django_celery_beat_solarschedule_change          403 403 200 200 200
django_celery_beat_intervalschedule_changelist   403 403 200 200 200
django_celery_beat_intervalschedule_add          403 403 403 403 200
django_celery_beat_intervalschedule_history      403 403 200 200 200
django_celery_beat_intervalschedule_delete       403 403 403 403 200
django_celery_beat_intervalschedule_change       403 403 200 200 200
agentmail_outboundemail_changelist               403 200 200 200 200
agentmail_outboundemail_add                      403 403 403 403 403
agentmail_outboundemail_history                  403 200 200 200 200
agentmail_outboundemail_delete                   403 403 403 403 403
agentmail_outboundemail_change                   403 200 200 200 200
agentmail_inboundemail_changelist                403 200 200 200 200
agentmail_inboundemail_add                       403 403 403 403 403
agentmail_inboundemail_history                   403 200 200 200 200
agentmail_inboundemail_delete                    403 403 403 403 403
agentmail_inboundemail_change                    403 200 200 200 200
agentmail_providerevent_changelist               403 200 200 200 200
agentmail_providerevent_add                      403 403 403 403 403
agentmail_providerevent_history                  403 200 200 200 200
agentmail_providerevent_delete                   403 403 403 403 403
agentmail_providerevent_change                   403 200 200 200 200
agentmail_suppressedaddress_changelist           403 200 200 200 200
agentmail_suppressedaddress_add                  403 403 403 403 403
agentmail_suppressedaddress_history              403 200 200 200 200
agentmail_suppressedaddress_delete               403 403 200 403 200
agentmail_suppressedaddress_change               403 200 200 200 200
agentmail_declinedaddress_changelist             403 200 200 200 200
agentmail_declinedaddress_add                    403 403 403 403 403
agentmail_declinedaddress_history                403 200 200 200 200
agentmail_declinedaddress_delete                 403 403 200 403 200
agentmail_declinedaddress_change                 403 200 200 200 200
webhooks_delivery_resend                         403 200 200 403 200
webhooks_delivery_changelist                     403 200 200 200 200
webhooks_delivery_add                            403 403 403 403 403
webhooks_delivery_history                        403 200 200 200 200
webhooks_delivery_delete                         403 403 403 403 403
webhooks_delivery_change                         403 200 200 200 200
webhooks_endpoint_resume                         403 403 200 403 200
webhooks_endpoint_changelist                     403 200 200 200 200
webhooks_endpoint_add                            403 403 403 403 403
webhooks_endpoint_history                        403 200 200 200 200
webhooks_endpoint_delete                         403 403 403 403 403
webhooks_endpoint_change                         403 200 200 200 200
app_list agentmail                               404 200 200 200 200
app_list auth                                    404 404 404 200 200
app_list cases                                   404 200 200 200 200
app_list django_celery_beat                      404 404 200 200 200
app_list webhooks                                404 200 200 200 200
"""
EXPECTED = {
    " ".join(words[:-5]): tuple(int(word) for word in words[-5:])
    for words in map(str.split, TABLE.splitlines())
    if words
}
FILLED_IN = {
    "post": "yes",
    "seen_event_id": "0",
    "reason": "x",
    "result": "{}",
    "body": "x",
    "answer": "x",
    "days": "1",
}


@pytest.fixture
def world(db: None) -> dict[str, Any]:
    return make_world()


def test_every_page_opens_for_whom_it_should(world: dict[str, Any]) -> None:
    browsers = [sign_in_as(person) for person in PEOPLE]

    found = {name: tuple(browser.get(url).status_code for browser in browsers) for name, url in list_urls(world)}

    assert found == EXPECTED


@pytest.mark.parametrize("person", ["nobody", "Support", "Operator", "Auditor"])
def test_what_may_not_be_opened_may_not_be_sent_to_either(world: dict[str, Any], person: str) -> None:
    browser, column = sign_in_as(person), PEOPLE.index(person)
    before = take_stock()

    closed = [url for name, url in list_urls(world) if EXPECTED[name][column] == 403]
    statuses = {browser.post(url, FILLED_IN).status_code for url in closed}

    assert (len(closed) > 20, statuses) == (True, {403})
    assert take_stock() == before


def test_an_auditor_changes_nothing_on_any_page(world: dict[str, Any]) -> None:
    browser = sign_in_as("Auditor")
    before = take_stock()

    for name, url in list_urls(world):
        if name != "password_change":
            browser.post(url, FILLED_IN)

    assert take_stock() == before


def take_stock() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but the sessions, which a page may renew."""
    kept = (model for model in apps.get_models() if model._meta.label != "sessions.Session")
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in kept}


# -- Secrets


def test_no_page_shows_a_secret_even_to_a_superuser(world: dict[str, Any]) -> None:
    browser = sign_in_as("superuser")
    user = get_user_model().objects.get(username="someone")
    signing = rotate_secret(world["case"].client_id, by="rita", now=NOW)
    RegisteredWebhook.objects.create(webhook_id="w", url="https://x.example", secret="whsec_planted", registered_at=NOW)
    planted = {
        "an API key": world["key text"],
        "its digest": ApiKey.objects.get().digest,
        "a signing secret": signing.secret,
        "its salt": bytes(signing.row.salt).hex(),
        "AgentMail's key": settings.AGENTMAIL_API_KEY,
        "AgentMail's webhook secret": settings.AGENTMAIL_WEBHOOK_SECRETS[0],
        "the registered webhook's secret": "whsec_planted",
        "the secret key": settings.SECRET_KEY,
        "a password's hash": user.password.rpartition("$")[2],
        "the database's password": settings.DATABASES["default"]["PASSWORD"] + "@",
    }

    found = set()
    for name, url in list_urls(world):
        response = browser.get(url, follow=True)
        page = response.content.decode() + str(response.headers)
        found |= {(name, what) for what, secret in planted.items() if len(secret) > 1 and secret in page}

    assert found == set()


# -- The seeding


def read_groups() -> dict[str, set[str]]:
    return {
        group.name: {
            f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
        }
        for group in Group.objects.filter(name__in=GROUPS)
    }


@pytest.fixture
def seeded(db: None) -> dict[str, set[str]]:
    seed_groups()
    return read_groups()


def test_seeding_again_changes_nothing(seeded: dict[str, set[str]]) -> None:
    seed_groups()

    assert read_groups() == seeded
    assert Group.objects.filter(name__in=GROUPS).count() == 3


def test_seeding_takes_nothing_away_that_an_operator_added(seeded: dict[str, set[str]]) -> None:
    extra = Permission.objects.get(codename="view_user")
    Group.objects.get(name="Support").permissions.add(extra)
    member = get_user_model().objects.create_user("sam")
    member.groups.add(Group.objects.get(name="Support"))

    seed_groups()

    assert read_groups()["Support"] == seeded["Support"] | {"auth.view_user"}
    assert member.has_perm("auth.view_user")


def test_seeding_makes_the_permissions_that_django_makes_later(db: None) -> None:
    """On a new database a migration runs before Django has made any."""
    wanted = {row.codename: row.name for row in Permission.objects.filter(content_type__app_label="cases")}
    ContentType.objects.exclude(app_label="contenttypes").delete()

    seed_groups()

    made = {row.codename: row.name for row in Permission.objects.filter(content_type__app_label="cases")}
    assert made.keys() <= wanted.keys()
    assert {codename: wanted[codename] for codename in made} == made


def test_every_right_of_a_group_is_one_that_the_product_has(seeded: dict[str, set[str]]) -> None:
    migration = import_module("cases.migrations.0010_groups")
    real = {
        f"{model._meta.label_lower}.{codename}"
        for model in apps.get_models()
        for codename in (
            *(f"{verb}_{model._meta.model_name}" for verb in model._meta.default_permissions),
            *(codename for codename, _ in model._meta.permissions),
        )
    }
    given = {f"{table}.view_{table.partition('.')[2]}" for table in migration.NAMES}
    given |= {*migration.SUPPORT_DOES, *migration.OPERATOR_DOES}

    assert given - real == set()


def test_each_group_holds_what_the_one_before_it_holds(seeded: dict[str, set[str]]) -> None:
    assert seeded["Support"] < seeded["Operator"]
    assert {right for right in seeded["Operator"] if ".view_" in right} <= seeded["Auditor"]
    assert not [right for right in seeded["Auditor"] if ".view_" not in right]


# -- Keys


def make_key(browser: HttpClient, world: dict[str, Any], **typed: str) -> Any:
    return browser.post(f"/admin/cases/client/{world['case'].client_id}/new-key/", typed)


def test_a_new_key_is_shown_once_works_and_stands_in_the_log(world: dict[str, Any]) -> None:
    browser = sign_in_as("Operator")

    response = make_key(browser, world, name="production", days="30")

    key = response.context["key"]
    assert key in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert HttpClient().get("/cases", HTTP_X_API_KEY=key).status_code == 200
    client_page = browser.get(f"/admin/cases/client/{world['case'].client_id}/change/").content.decode()
    history = browser.get(f"/admin/cases/client/{world['case'].client_id}/history/").content.decode()
    assert key not in client_page + history
    assert f"Made the key {key[:12]}… (production)." in history


@pytest.mark.parametrize("typed", [{"name": "default"}, {"name": "a\nb"}, {"days": "0"}, {"days": "x"}])
def test_a_key_that_cannot_be_made_is_refused_on_the_page(world: dict[str, Any], typed: dict[str, str]) -> None:
    response = make_key(sign_in_as("Operator"), world, **typed)

    assert (response.status_code, ApiKey.objects.count()) == (400, 1)


def test_a_key_is_revoked_after_a_page_that_asks(world: dict[str, Any]) -> None:
    browser, key = sign_in_as("Operator"), world["cases.apikey"]
    url = f"/admin/cases/apikey/{key.pk}/revoke/"

    page = browser.get(url).content.decode()
    assert "Within ten seconds every request with this key is refused." in page
    assert ApiKey.objects.filter(revoked_at=None).count() == 1

    responses = [browser.post(url, follow=True) for _ in range(2)]

    assert ApiKey.objects.filter(revoked_at=None).count() == 0
    said = [[str(message) for message in response.context["messages"]] for response in responses]
    assert said == [[f"The key {key.prefix}… is revoked."], [f"The key {key.prefix}… is revoked already."]]
    assert HttpClient().get("/cases", HTTP_X_API_KEY=world["key text"]).status_code == 403
