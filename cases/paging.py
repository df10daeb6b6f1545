"""Counts and pages long lists without looking at every row; must not know what is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

# A list ends here: whoever looks for more narrows it instead of leafing through a thousand rows.
LIST_CAP = 1_000

if TYPE_CHECKING:
    PaginatorBase = Paginator[Any]
else:
    PaginatorBase = Paginator


def count_up_to(rows: QuerySet[Any], cap: int) -> int:
    """Returns how many rows there are, `cap` + 1 for more than `cap`; the database stops looking there."""
    return rows.order_by().values("pk")[: cap + 1].count()


def write_count(count: int, cap: int) -> str:
    """Returns a count of `count_up_to` as people read it: 7, or 100+ for more than 100."""
    return f"{cap:,}+" if count > cap else f"{count:,}"


class QuickPaginator(PaginatorBase):
    """Pages of at most the first LIST_CAP rows."""

    object_list: QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return count_up_to(self.object_list, LIST_CAP)

    @cached_property
    def count(self) -> int:
        return min(self._counted, LIST_CAP)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than are listed."""
        return self._counted > LIST_CAP

    @property
    def written_count(self) -> str:
        """How many rows there are, as people read it."""
        return write_count(self._counted, LIST_CAP)
