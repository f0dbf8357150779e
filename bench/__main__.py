"""The command line: `python -m bench [ROW …] [--rounds N] [--quick]`."""

import argparse
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import rows_mirror, rows_mirror_full, rows_mirror_images, rows_mirror_many, rows_read, rows_size, rows_write
from bench.machine import describe
from bench.row import Result, Row
from bench.scene import FULL, QUICK, Scene
from bench.table import format_figure, format_tables, write_results

PARTS: Mapping[str, Sequence[Row]] = {
    "Registry": (*rows_read.ROWS, *rows_write.ROWS, *rows_size.ROWS),
    "Mirror": (*rows_mirror.ROWS, *rows_mirror_many.ROWS, *rows_mirror_images.ROWS, *rows_mirror_full.ROWS),
}
ROWS = {row.name: row for rows in PARTS.values() for row in rows}
RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> None:
    """Measure the rows asked for, print the table, and keep it when all were measured in full."""
    options = parse_options()
    allow_many_connections()
    complete = not options.rows and not options.quick
    with TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
        scene = Scene(Path(directory), QUICK if options.quick else FULL)
        results = {
            part: [measure(row, scene, options.rounds) for row in rows if row.name in (options.rows or ROWS)]
            for part, rows in PARTS.items()
        }
        machine = describe(Path(directory))
    print(format_tables(results))
    if complete:
        write_results(RESULTS, results, machine, options.rounds)


def parse_options() -> argparse.Namespace:
    """Read the command line; ends the program when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"all, or some of: {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each server has its turn (3)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything works")
    parser.add_argument("--directory", type=Path, help="where the content goes (the system's temporary directory)")
    options = parser.parse_args()
    for name in set(options.rows) - set(ROWS):
        parser.error(f"there is no row {name}; there are: {', '.join(ROWS)}")
    return options


def allow_many_connections() -> None:
    """Raise the limit of open files, which the servers inherit, as far as the system lets it be raised."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def measure(row: Row, scene: Scene, rounds: int) -> Result:
    """Let the contenders take turns for so many rounds."""
    figures: dict[str, list[float]] = {contender: [] for contender in row.contenders}
    print(f"{row.name}: {row.work} ({row.unit})", file=sys.stderr)
    with row.measuring(scene) as measure_once:
        for number in range(rounds):
            for contender in row.contenders:
                figures[contender].append(measure_once(contender))
            print(f"  round {number + 1}: {format_round(row.contenders, figures)}", file=sys.stderr)
    return Result(row, figures)


def format_round(contenders: Sequence[str], figures: dict[str, list[float]]) -> str:
    """The newest figure of each contender."""
    return ", ".join(f"{contender} {format_figure(figures[contender][-1])}" for contender in contenders)


if __name__ == "__main__":
    main()
