from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Collate, Concat, Left, Lower

PUNCTUATION = "!\"#$&'()*+,-./:;<=>?@[]^_`{|}~"
TEXT = models.Func(
    Concat(
        "counterparty_name",
        models.Value(" "),
        "counterparty_company",
        models.Value(" "),
        Left("objective", 2_000),
        output_field=models.TextField(),
    ),
    models.Value(PUNCTUATION),
    models.Value(" " * len(PUNCTUATION)),
    function="translate",
    output_field=models.TextField(),
)


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY does not run inside a transaction.
    atomic = False

    dependencies = [
        ("cases", "0008_staff_actions"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="case",
            index=models.Index(
                fields=["status", "-updated_at", "-id"],
                include=["result_status"],
                name="case_ended",
                condition=Q(status__in=["COMPLETED", "FAILED"]),
            ),
        ),
        AddIndexConcurrently(
            model_name="case",
            index=models.Index(
                fields=["result_status", "-updated_at", "-id"], name="case_by_outcome", condition=~Q(result_status="")
            ),
        ),
        AddIndexConcurrently(
            model_name="case",
            index=models.Index(Collate(Lower("counterparty_name"), "C"), name="case_name_prefix"),
        ),
        AddIndexConcurrently(
            model_name="case",
            index=models.Index(Collate(Lower("counterparty_address"), "C"), name="case_address_prefix"),
        ),
        AddIndexConcurrently(
            model_name="case",
            index=GinIndex(SearchVector(TEXT, config="simple"), name="case_words"),
        ),
        AddIndexConcurrently(
            model_name="inputrequest",
            index=models.Index(
                fields=["resolved_at"],
                include=["requested_at"],
                name="input_request_answered",
                condition=Q(status="RESOLVED") & ~Q(answer=""),
            ),
        ),
    ]
