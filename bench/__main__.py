"""`python -m bench NAME`, or `./dev bench NAME`: runs one bench, or all, against the PostgreSQL of DATABASE_URL."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench import admin_list, against_dbos, events, in_flight, memory, post_cases, sweep
from bench.table import NotMeasured, Row, format_table, judge


@dataclass(frozen=True, slots=True)
class Bench:
    """run: takes the rest of the command line, prints what it measured and returns its rows; raises NotMeasured.

    quick: the options of a run that only shows that it works.
    """

    run: Callable[[list[str]], list[Row]]
    quick: str


# In the order of the table.
BENCHES = {
    "post_cases": Bench(post_cases.run, "--rounds 1 --seconds 1"),
    "events": Bench(events.run, "--rounds 1 --events 200 --cases 40 --trips 10"),
    "sweep": Bench(sweep.run, "--rounds 1 --cases 20000 --due 2000"),
    "admin_list": Bench(admin_list.run, "--rounds 1 --cases 20000"),
    "in_flight": Bench(in_flight.run, "--only model/threads/64 --turns 4"),
    "memory": Bench(memory.run, "--cases 20"),
    "against_dbos": Bench(against_dbos.run, "--rounds 1 --cases 40 --waiting 0"),
}


def main(arguments: list[str]) -> int:
    """Runs the bench that is named first, without a name all of them, and prints the table of what they found.

    Returns 0, 1 when something that was wanted is missed, 2 when a bench could not be run.
    """
    is_alone = bool(arguments) and not arguments[0].startswith("-")
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, add_help=not is_alone)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHES), help="default: all")
    parser.add_argument("--quick", action="store_true", help="shows that it works; its figures say nothing")
    options, rest = parser.parse_known_args(arguments)
    if rest and not options.name:
        parser.error(f"{rest[0]}: options are those of one bench; name it first")
    rows: list[tuple[str, Row]] = []
    missing: list[tuple[str, str]] = []
    for name in [options.name] if options.name else BENCHES:
        bench, command = BENCHES[name], f"./dev bench {name}"
        print(f"== {command}\n", flush=True)
        try:
            rows += [(command, row) for row in bench.run([*(bench.quick.split() if options.quick else []), *rest])]
        except NotMeasured as error:
            print(error, file=sys.stderr)
            missing.append((command, str(error)))
        print(flush=True)
    print(format_table(rows, missing))
    if options.quick:
        print("\nA quick run: it shows that the benches work, and no more.")
    return 2 if missing else judge(row for _, row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
