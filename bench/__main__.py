"""`python -m bench NAME`, or `./dev bench NAME`: runs one bench against the PostgreSQL of DATABASE_URL."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench import against_dbos, in_flight, post_cases, sweep

# Each takes the rest of the command line, prints what it measured and returns the exit code.
BENCHES: dict[str, Callable[[list[str]], int]] = {
    "against_dbos": against_dbos.run,
    "in_flight": in_flight.run,
    "post_cases": post_cases.run,
    "sweep": sweep.run,
}


def main(arguments: list[str]) -> int:
    """Runs the bench that is named first; without a name all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, add_help=not arguments)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHES), help="default: all")
    options, rest = parser.parse_known_args(arguments)
    names = [options.name] if options.name else sorted(BENCHES)
    return max(BENCHES[name](rest) for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
