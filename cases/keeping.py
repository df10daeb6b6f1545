"""The table of how long a client's ended cases keep what was written; must not hold what is done about it."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

LONGEST_DAYS = 36_500


def _days(of: str) -> models.PositiveIntegerField[int | None, int | None]:
    return models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)],
        help_text=f"Days after a case's end for which {of} is kept; empty: for good.",
    )


class Keeping(models.Model):
    """One client's limits. Without a row, or where a number is empty, everything is kept."""

    client = models.OneToOneField(
        "cases.Client", on_delete=models.CASCADE, primary_key=True, related_name="keeping", editable=False
    )
    mail_days = _days("the text of mail, both ways,")
    files_days = _days("what is known of attached files")
    agent_days = _days("what the agent decided and why")
    # Up to here every ended case is done, so that no run looks at it again.
    mail_done_until = models.DateTimeField(null=True, editable=False)
    files_done_until = models.DateTimeField(null=True, editable=False)
    agent_done_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "limit of what is kept"
        verbose_name_plural = "limits of what is kept"

    def __str__(self) -> str:
        return f"mail {self.mail_days or '∞'}, files {self.files_days or '∞'}, agent {self.agent_days or '∞'} days"
