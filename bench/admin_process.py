"""A process of the admin's bench: renders pages as a web process does, and prints what each took as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from bench.admin_rows import USER  # noqa: E402

LIST = "/admin/cases/case/"
PLAIN = """
SELECT c.id, c.status, c.counterparty_name, c.counterparty_address, c.counterparty_company, c.objective,
       c.attempt_count, c.next_action, c.next_action_at, c.result_status, c.created_at, c.updated_at, k.name
  FROM cases_case c JOIN cases_client k ON k.id = c.client_id ORDER BY c.created_at DESC, c.id DESC LIMIT 50
"""


def list_pages(biggest: str, smallest: str) -> dict[str, str]:
    """Returns the address of every view, filter and kind of search, and of the first page of the console."""
    filters = {
        "all cases": "",
        "page 20": "?p=20",
        "oldest first": "?o=6",
        "needs an answer": "?state=INPUT_NEEDED",
        "stuck": "?state=STUCK",
        "failed": "?state=FAILED",
        "mine": "?mine=1",
        "queued": "?state=CREATED",
        "running": "?state=RUNNING",
        "completed": "?state=COMPLETED",
        "paused": "?state=PAUSED",
        "biggest client": f"?client={biggest}",
        "smallest client": f"?client={smallest}",
        "smallest client, failed": f"?client={smallest}&state=FAILED",
        "smallest client, bounced": f"?client={smallest}&outcome=BOUNCED",
        "outcome: bounced": "?outcome=BOUNCED",
        "outcome: none such": "?outcome=COMPLAINED",
        "late": "?due=late",
        "due within a day": "?due=day",
        "due within a week": "?due=week",
        "waiting over 3 days": "?waiting=72",
        "opened within a day": "?opened=1",
        "opened before 30 days": "?opened=older",
        "failed within a week": "?state=FAILED&opened=7",
        "mine, failed": "?mine=1&state=FAILED",
        "search: reference": "?q=order-777",
        "search: address": "?q=maya.chen77",
        "search: name": "?q=maya+chen",
        "search: first name": "?q=maya",
        "search: one case's word": "?q=INV-12345",
        "search: word of 2 %": "?q=w-9",
        "search: word of most": "?q=certificate",
        "search: word of all": "?q=invoice",
        "search: two words": "?q=cobalt+w-9",
        "search: one letter": "?q=m",
        "search: no such word": "?q=nothingatall",
        "search among failed": "?q=w-9&state=FAILED",
        "search of a client": f"?q=certificate&client={smallest}",
    }
    return {"the first page": "/admin/", **{name: LIST + query for name, query in filters.items()}}


def read_processor_ms(backend: int) -> float:
    """Returns the processor time of this process and of its server process, if that runs on this host; of the server's
    parallel workers nothing is known."""
    status = Path(f"/proc/{backend}/schedstat")
    served = int(status.read_text().split()[0]) / 1e6 if status.exists() else 0.0
    return time.process_time() * 1000 + served


def main(rounds: int) -> None:
    """Prints {"pages", "processor": {name: [ms]}, "plain": [ms], "queries": {name: count}}."""
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(get_user_model().objects.get(username=USER))
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_id::text FROM cases_case TABLESAMPLE SYSTEM (10) GROUP BY 1 ORDER BY count(*)")
        clients = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchall()[0][0])
    pages = list_pages(clients[-1], clients[0])
    took: dict[str, list[float]] = {name: [] for name in pages}
    worked: dict[str, list[float]] = {name: [] for name in pages}
    plain: list[float] = []
    queries: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, url in pages.items():
            with CaptureQueriesContext(connection) as captured:
                busy, started = read_processor_ms(backend), time.perf_counter()
                answer = browser.get(url)
                spent, busy = (time.perf_counter() - started) * 1000, read_processor_ms(backend) - busy
            if answer.status_code != 200:
                sys.exit(f"{url} answered {answer.status_code}")
            queries[name] = len(captured)
            started = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.execute(PLAIN)
                cursor.fetchall()
            # The first round only warms up.
            if number:
                took[name].append(spent)
                worked[name].append(busy)
                plain.append((time.perf_counter() - started) * 1000)
    json.dump({"pages": took, "processor": worked, "plain": plain, "queries": queries}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
