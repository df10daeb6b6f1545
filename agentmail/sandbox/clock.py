"""The provider's settable clock; must not be used for webhook timestamps and retries, which follow the real one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from agentmail.sandbox.models import Clock


@dataclass(frozen=True)
class Moment:
    """One instant on both clocks: `real` for deliveries, `provider` for whatever the provider dates or expires."""

    real: datetime
    provider: datetime


def read_moment() -> Moment:
    """Reads both clocks once; for views and commands, which hand the value on."""
    real = timezone.now()
    return Moment(real=real, provider=real + timedelta(seconds=read_offset_seconds()))


def read_offset_seconds() -> int:
    """Returns how many seconds the provider's clock is ahead; 0 until somebody sets it."""
    return Clock.objects.filter(pk=1).values_list("offset_seconds", flat=True).first() or 0


def set_offset_seconds(seconds: int) -> None:
    """Replaces the offset; a second call with the same value changes nothing."""
    Clock.objects.update_or_create(pk=1, defaults={"offset_seconds": seconds})
