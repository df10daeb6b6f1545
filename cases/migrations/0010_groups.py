"""Seeds the groups Support, Operator and Auditor; takes nothing from a group that is there already.

Django makes permissions only after every migration has run, so those that the groups need are made here. What Django
would have made later it then finds. Running this again adds what is missing and nothing else.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

# Of each table: its name as Django's own permissions spell it.
NAMES = {
    "admin.logentry": "log entry",
    "agentmail.declinedaddress": "declined address",
    "agentmail.inboundemail": "inbound email",
    "agentmail.outboundemail": "outbound email",
    "agentmail.providerevent": "provider event",
    "agentmail.suppressedaddress": "suppressed address",
    "auth.group": "group",
    "auth.user": "user",
    "cases.agentrun": "agent run",
    "cases.apikey": "API key",
    "cases.attachment": "attachment",
    "cases.case": "case",
    "cases.caseevent": "case event",
    "cases.casenote": "case note",
    "cases.client": "client",
    "cases.inputrequest": "input request",
    "django_celery_beat.clockedschedule": "clocked",
    "django_celery_beat.crontabschedule": "crontab",
    "django_celery_beat.intervalschedule": "interval",
    "django_celery_beat.periodictask": "periodic task",
    "django_celery_beat.solarschedule": "solar event",
    "webhooks.delivery": "delivery",
    "webhooks.deliveryattempt": "delivery attempt",
    "webhooks.deliverypolicy": "delivery policy",
    "webhooks.endpoint": "endpoint",
    "webhooks.signingsecret": "signing secret",
}
# The words of permissions that Django does not make by itself, as their models spell them.
WORDS = {
    "answer_case": "Can answer a case's question",
    "cancel_case": "Can cancel a case",
    "close_case": "Can close a live case by hand",
    "create_apikey": "Can make a key for a client",
    "give_up_event": "Can end a case over a given-up step",
    "pause_case": "Can pause and resume a case",
    "reevaluate_case": "Can have a case's last reply evaluated again",
    "requeue_event": "Can put a given-up step back",
    "resend_delivery": "Can send a delivery again",
    "resume_endpoint": "Can resume a paused endpoint",
    "revoke_apikey": "Can revoke a client's key",
    "rotate_secret": "Can change how a client's webhooks are signed and retried",
    "send_follow_up": "Can have a case's next follow-up sent at once",
}

SUPPORT_SEES = (
    "agentmail.declinedaddress",
    "agentmail.inboundemail",
    "agentmail.outboundemail",
    "agentmail.providerevent",
    "agentmail.suppressedaddress",
    "cases.agentrun",
    "cases.attachment",
    "cases.case",
    "cases.caseevent",
    "cases.casenote",
    "cases.client",
    "cases.inputrequest",
    "webhooks.delivery",
    "webhooks.deliveryattempt",
    "webhooks.endpoint",
)
SUPPORT_DOES = (
    "cases.case.answer_case",
    "cases.case.cancel_case",
    "cases.case.pause_case",
    "cases.case.reevaluate_case",
    "cases.case.send_follow_up",
    "cases.casenote.add_casenote",
    "webhooks.delivery.resend_delivery",
)
OPERATOR_SEES = (
    *SUPPORT_SEES,
    "cases.apikey",
    "django_celery_beat.clockedschedule",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "django_celery_beat.periodictask",
    "django_celery_beat.solarschedule",
    "webhooks.deliverypolicy",
    "webhooks.signingsecret",
)
OPERATOR_DOES = (
    *SUPPORT_DOES,
    "agentmail.declinedaddress.delete_declinedaddress",
    "agentmail.suppressedaddress.delete_suppressedaddress",
    "cases.apikey.create_apikey",
    "cases.apikey.revoke_apikey",
    "cases.case.close_case",
    "cases.caseevent.give_up_event",
    "cases.caseevent.requeue_event",
    "django_celery_beat.periodictask.change_periodictask",
    "webhooks.endpoint.resume_endpoint",
    "webhooks.signingsecret.rotate_secret",
)
GROUPS = {
    "Support": (SUPPORT_SEES, SUPPORT_DOES),
    "Operator": (OPERATOR_SEES, OPERATOR_DOES),
    "Auditor": (tuple(NAMES), ()),
}


def seed_groups(apps: Any, _schema_editor: Any) -> None:
    Group = apps.get_model("auth", "Group")
    for name, (seen, done) in GROUPS.items():
        codes = [f"{table}.view_{table.partition('.')[2]}" for table in seen]
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*(get_permission(apps, code) for code in (*codes, *done)))


def get_permission(apps: Any, code: str) -> Any:
    app, model, codename = code.split(".")
    verb = codename.partition("_")[0]
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename=codename,
        defaults={"name": WORDS.get(codename, f"Can {verb} {NAMES[f'{app}.{model}']}")},
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("cases", "0009_console_indexes"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(seed_groups, migrations.RunPython.noop)]
