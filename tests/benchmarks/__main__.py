"""``python -m tests.benchmarks``: the cost of a request, in process, without a socket.

The first table is microseconds of processor time per request (the median of rounds in
which all frameworks take turns), the second one the cost of this package divided by
that of each other framework. The ratios count: figures change with the machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys

from tests.benchmarks.cases import CASES
from tests.benchmarks.compare import (
    format_table,
    in_turns,
    median_microseconds,
    median_ratios,
    quiet_logs,
    ready_clients,
)
from tests.benchmarks.frameworks import installed


def main(arguments: list[str] | None = None) -> None:
    """Measure what the command line asks for and print it."""
    options = _parser().parse_args(arguments)
    microseconds = {}
    ratios = {}
    with quiet_logs():
        for name in options.case or CASES:
            case = CASES[name]
            clients = ready_clients(case, options.only)
            times = in_turns(clients, options.rounds, options.number)
            microseconds[case.title] = median_microseconds(times)
            ratios[case.title] = median_ratios(times)
            if sys.stderr.isatty():
                print(f"measured: {case.title}", file=sys.stderr)
    if options.json:
        result = {
            "python": platform.python_version(),
            "rounds": options.rounds,
            "microseconds": microseconds,
            "ours divided by": ratios,
        }
        print(json.dumps(result, indent=2))
        return
    print(format_table("microseconds per request", options.only, microseconds))
    others = [name for name in options.only if name != "ours"]
    if others and "ours" in options.only:
        print()
        print(format_table("ours divided by", others, ratios))


def _parser() -> argparse.ArgumentParser:
    names = installed()
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__
    )
    parser.add_argument(
        "--case",
        action="append",
        choices=CASES,
        help="measure this case (may be repeated); default: all",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="FRAMEWORK",
        help=f"measure these; installed: {' '.join(names)}",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=15,
        help="batches of each framework; default: %(default)s",
    )
    parser.add_argument(
        "--number",
        type=int,
        default=0,
        help="requests in a batch; default: as many as take about 20 ms",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    return parser


if __name__ == "__main__":
    main()
