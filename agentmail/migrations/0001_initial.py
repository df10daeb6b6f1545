import django.db.models.deletion
import django.db.models.functions.text
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="OutboundEmail",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("owner", models.UUIDField(db_index=True)),
                ("reference", models.TextField(help_text="What the mail was written for; one mail each.", unique=True)),
                ("inbox_id", models.TextField()),
                ("to_address", models.TextField()),
                ("subject", models.TextField(blank=True)),
                ("text", models.TextField()),
                ("reply_to_message_id", models.TextField(blank=True, help_text="Empty: the mail opens a new thread.")),
                ("payload", models.TextField(help_text="The exact JSON text of the request.")),
                ("idempotency_key", models.TextField(unique=True)),
                ("label", models.TextField(unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("frozen", "frozen"),
                            ("sending", "sending"),
                            ("unknown", "unknown"),
                            ("sent", "sent"),
                            ("refused", "refused"),
                            ("abandoned", "abandoned"),
                        ],
                        default="frozen",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                (
                    "first_attempt_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="The first attempt that may have been accepted; empty while surely unsent.",
                        null=True,
                    ),
                ),
                ("last_attempt_at", models.DateTimeField(blank=True, null=True)),
                (
                    "looked_up_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the look-up by label first found nothing since the last attempt.",
                        null=True,
                    ),
                ),
                ("lookup_misses", models.PositiveIntegerField(default=0)),
                ("message_id", models.TextField(blank=True)),
                ("thread_id", models.TextField(blank=True)),
                ("last_error", models.TextField(blank=True)),
                ("frozen_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "outbound mail",
                "verbose_name_plural": "outbound mail",
                "indexes": [
                    models.Index(
                        condition=models.Q(("thread_id", ""), _negated=True),
                        fields=["thread_id"],
                        name="outbound_thread",
                    ),
                    models.Index(
                        condition=models.Q(("message_id", ""), _negated=True),
                        fields=["message_id"],
                        name="outbound_message",
                    ),
                    models.Index(fields=["inbox_id"], name="outbound_inbox"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["frozen", "sending", "unknown", "sent", "refused", "abandoned"])
                        ),
                        name="outbound_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "sent"), _negated=True),
                            models.Q(
                                models.Q(("message_id", ""), _negated=True),
                                models.Q(("thread_id", ""), _negated=True),
                                ("sent_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="outbound_sent_has_ids",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["sending", "unknown"]), _negated=True),
                            models.Q(
                                ("first_attempt_at__isnull", False),
                                ("last_attempt_at__isnull", False),
                                ("attempts__gt", 0),
                            ),
                            _connector="OR",
                        ),
                        name="outbound_attempted_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "frozen"), _negated=True),
                            models.Q(("message_id", ""), ("first_attempt_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="outbound_frozen_is_unsent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("inbox_id", ""), _negated=True),
                            models.Q(("to_address", ""), _negated=True),
                            models.Q(("payload", ""), _negated=True),
                        ),
                        name="outbound_addressed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderEvent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("event_id", models.TextField(unique=True)),
                ("svix_id", models.TextField(blank=True)),
                ("event_type", models.TextField(blank=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("mail", "mail"),
                            ("report", "report"),
                            ("evidence", "evidence"),
                            ("ignored", "ignored"),
                        ],
                        max_length=16,
                    ),
                ),
                ("note", models.TextField(blank=True, help_text="Why the event was not read, if it was not.")),
                ("payload", models.JSONField()),
                ("received_at", models.DateTimeField()),
                ("owner", models.UUIDField(blank=True, null=True)),
                ("matched_at", models.DateTimeField(blank=True, null=True)),
                ("inbox_id", models.TextField(blank=True)),
                ("thread_id", models.TextField(blank=True)),
                ("message_id", models.TextField(blank=True)),
                (
                    "report_kind",
                    models.CharField(
                        blank=True,
                        choices=[("BOUNCED", "bounced"), ("COMPLAINED", "complained"), ("REJECTED", "rejected")],
                        max_length=16,
                    ),
                ),
                ("addresses", models.JSONField(blank=True, default=list)),
                ("detail", models.TextField(blank=True)),
                ("is_transient", models.BooleanField(default=False)),
                ("occurred_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("kind", "report"), ("owner__isnull", True)),
                        fields=["received_at"],
                        name="event_waiting",
                    ),
                    models.Index(condition=models.Q(("owner__isnull", False)), fields=["owner"], name="event_owner"),
                    models.Index(fields=["-received_at"], name="event_newest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("event_id", ""), _negated=True), name="event_identified"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("owner__isnull", True), ("matched_at__isnull", False), _connector="OR"),
                        name="event_matched_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "report"), _negated=True),
                            ("report_kind__in", ["BOUNCED", "COMPLAINED", "REJECTED"]),
                            _connector="OR",
                        ),
                        name="event_report_has_kind",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SuppressedAddress",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("address", models.TextField(unique=True)),
                ("reason", models.TextField(help_text="BOUNCED, COMPLAINED, REJECTED, or a word of whoever added it.")),
                ("detail", models.TextField(blank=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "suppressed addresses",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("address", django.db.models.functions.text.Lower("address")),
                            models.Q(("address", ""), _negated=True),
                        ),
                        name="suppressed_lower_case",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="InboundEmail",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("owner", models.UUIDField(blank=True, null=True)),
                ("matched_at", models.DateTimeField(blank=True, null=True)),
                ("received_at", models.DateTimeField()),
                ("inbox_id", models.TextField()),
                ("message_id", models.TextField()),
                ("thread_id", models.TextField()),
                ("from_address", models.TextField(blank=True)),
                ("from_name", models.TextField(blank=True)),
                ("to", models.JSONField(blank=True, default=list)),
                ("subject", models.TextField(blank=True)),
                ("text", models.TextField(blank=True)),
                ("html", models.TextField(blank=True)),
                ("extracted_text", models.TextField(blank=True)),
                ("in_reply_to", models.TextField(blank=True)),
                ("references", models.JSONField(blank=True, default=list)),
                ("headers", models.JSONField(blank=True, default=dict)),
                ("attachments", models.JSONField(blank=True, default=list)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "variant",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "none"),
                            ("spam", "spam"),
                            ("blocked", "blocked"),
                            ("unauthenticated", "unauthenticated"),
                        ],
                        max_length=16,
                    ),
                ),
                ("authentication", models.JSONField(blank=True, null=True)),
                (
                    "automatic",
                    models.CharField(
                        choices=[
                            ("none", "none"),
                            ("autoreply", "autoreply"),
                            ("out_of_office", "out of office"),
                            ("acknowledgement", "acknowledgement"),
                            ("delivery_report", "delivery report"),
                            ("own_address", "own address"),
                        ],
                        default="none",
                        max_length=16,
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mails",
                        to="agentmail.providerevent",
                        to_field="event_id",
                    ),
                ),
            ],
            options={
                "verbose_name": "inbound mail",
                "verbose_name_plural": "inbound mail",
                "indexes": [
                    models.Index(
                        condition=models.Q(("owner__isnull", True)), fields=["received_at"], name="inbound_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("owner__isnull", True), models.Q(("in_reply_to", ""), _negated=True)),
                        fields=["in_reply_to"],
                        name="inbound_waiting_for",
                    ),
                    models.Index(
                        condition=models.Q(("owner__isnull", False)),
                        fields=["owner", "received_at"],
                        name="inbound_owner",
                    ),
                    models.Index(fields=["thread_id"], name="inbound_thread"),
                    models.Index(fields=["message_id"], name="inbound_message"),
                    models.Index(fields=["-received_at"], name="inbound_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("inbox_id", "message_id"), name="inbound_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("inbox_id", ""), _negated=True),
                            models.Q(("message_id", ""), _negated=True),
                            models.Q(("thread_id", ""), _negated=True),
                        ),
                        name="inbound_identified",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("owner__isnull", True), ("matched_at__isnull", False), _connector="OR"),
                        name="inbound_matched_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("variant__in", ["", "spam", "blocked", "unauthenticated"])),
                        name="inbound_variant_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "automatic__in",
                                [
                                    "none",
                                    "autoreply",
                                    "out_of_office",
                                    "acknowledgement",
                                    "delivery_report",
                                    "own_address",
                                ],
                            )
                        ),
                        name="inbound_automatic_known",
                    ),
                ],
            },
        ),
    ]
