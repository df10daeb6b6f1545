"""What the search box finds, through indexes alone; must not scan the table for it.

A word may fit ten cases or every one, and what a word costs the planner only guesses: on a million cases its guess
was wrong by a thousand in both directions. So the search looks first, with a limit, and decides by what it has found.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Collate, Lower

from cases.models import PARTS_WORDS, Case, make_search_vector

HELP = "A case id, the client's reference, the beginning of a name or address, or words of the task."
# More words narrow nothing, and each is looked up.
MOST_WORDS = 8
# A shorter beginning of a word fits too many.
SHORTEST_BEGINNING = 3
# The newest cases are looked through one by one. Who finds so many there finds enough.
NEWEST = 1_000
ENOUGH = 60
# So many finds of the indexes are put in order.
MOST_FINDS = 500
_ASCII_LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}
# What the planner may use, so that it cannot scan the table whatever it expects of a word.
_PLANS = ("enable_seqscan", "enable_bitmapscan", "enable_indexscan", "enable_indexonlyscan")


def find_cases(cases: QuerySet[Case], term: str) -> tuple[QuerySet[Case], bool]:
    """Returns the cases that fit, and whether more fit than those.

    A case fits by its whole id or reference, by the beginning of its name or address, or by all the words. Each way
    has an index (`case_name_prefix`, `case_address_prefix`, `case_words`). Words are compared as they are written,
    without grammar, because tasks are in any language; the last one, of three letters or more, finds what begins
    with it. Of a task the first 2,000 characters are searched. Makes a few queries of its own, each bounded.
    """
    wanted = term.strip().replace("\x00", "")
    if not wanted:
        return cases, False
    case_id = read_uuid(wanted)
    if case_id is not None:
        return cases.filter(Q(client_reference_id=wanted) | Q(pk=case_id)), False
    searched = cases.alias(
        name_key=Collate(Lower("counterparty_name"), "C"),
        address_key=Collate(Lower("counterparty_address"), "C"),
        searched=make_search_vector(),
    )
    ways = [Q(client_reference_id=wanted)]
    for spelling in _spell(wanted):
        ways += [Q(name_key__startswith=spelling), Q(address_key__startswith=spelling)]
    query = _compose_query(wanted)
    if query is not None:
        ways.append(Q(searched=query))
    newest, is_all = _look_through_newest(searched, ways)
    if is_all or len(newest) >= ENOUGH:
        return cases.filter(pk__in=newest), not is_all
    found = _look_up(searched, ways)
    return cases.filter(pk__in=found | newest), len(found) > MOST_FINDS


def _look_up(cases: QuerySet[Case], ways: list[Q]) -> set[UUID]:
    """Returns the ids that are found in one of the ways; more than MOST_FINDS when it left some out."""
    found: set[UUID] = set()
    with _only("enable_bitmapscan"):
        for way in ways:
            if len(found) > MOST_FINDS:
                break
            found.update(cases.filter(way).order_by().values_list("pk", flat=True)[: MOST_FINDS + 1])
    return found


def _look_through_newest(cases: QuerySet[Case], ways: list[Q]) -> tuple[set[UUID], bool]:
    """Returns the ids found among the first NEWEST of the list's own order, and whether there are no others.

    A word that fits a good part of all cases is found here at once, and the index of words would have to name all.
    """
    first, *_ = cases.query.order_by
    column = str(first).removeprefix("-")
    if column not in ("created_at", "updated_at"):
        # Who waits is few.
        return set(), False
    fits = Q()
    for way in ways:
        fits |= way
    with _only("enable_indexscan", "enable_indexonlyscan"):
        last = next(iter(cases.values_list(column, flat=True)[NEWEST - 1 : NEWEST]), None)
        side = "gte" if str(first).startswith("-") else "lte"
        newest = cases if last is None else cases.filter(**{f"{column}__{side}": last})
        found = set(newest.filter(fits).values_list("pk", flat=True)[: MOST_FINDS + 1])
    return found, last is None and len(found) <= MOST_FINDS


@contextmanager
def _only(*plans: str) -> Iterator[None]:
    """Leaves the planner these ways to read a table and no other."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {plan} = {'on' if plan in plans else 'off'}" for plan in _PLANS))
        yield
        # In a transaction of somebody else's, such as a test's, they would outlast this one.
        cursor.execute("; ".join(f"SET LOCAL {plan} = on" for plan in _PLANS))


def _spell(text: str) -> list[str]:
    """Returns how the database may have written the text in lower case: one in the locale C changes ASCII alone."""
    return sorted({text.lower(), text.translate(_ASCII_LOWER), text.title().translate(_ASCII_LOWER)})


def _compose_query(wanted: str) -> SearchQuery | None:
    """Returns a query for all the words, None when there is no word in it."""
    spaced = wanted.translate({ord(sign): " " for sign in PARTS_WORDS})
    words = [word for word in spaced.split() if re.search(r"\w", word)][:MOST_WORDS]
    if not words:
        return None
    # Only the last word is taken for a beginning, as somebody types it: two of them cost what the rest does together.
    lexemes = [_quote(word, is_whole=place < len(words)) for place, word in enumerate(words, start=1)]
    return SearchQuery(" & ".join(lexemes), config="simple", search_type="raw")


def _quote(word: str, *, is_whole: bool) -> str:
    """Returns the word as lexemes of PostgreSQL's query language, where a backslash is written twice."""
    beginning = ":*" if len(word) >= SHORTEST_BEGINNING and not is_whole else ""
    lexemes = ["'{}'{}".format(spelling.replace("\\", "\\\\"), beginning) for spelling in _spell(word)]
    return f"({' | '.join(lexemes)})"


def read_uuid(text: str) -> UUID | None:
    """Returns the id that the text is, None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
