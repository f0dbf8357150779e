"""Results as Markdown tables, which are also what the terminal shows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.contenders import BASELINE, DIRECT, ENTREPOT, NGINX, REGISTRY
from bench.row import Result

OTHERS = (REGISTRY, NGINX, DIRECT, BASELINE)
REMARKS = "## Remarks"
EXPLANATION = """\
Written by `python -m bench`. All servers and the load generator share the cores; everything is in the page cache.
Figures are medians of {rounds} rounds in which the servers took turns. "x nginx" says how many times as good as
nginx Entrepot is, whether more is better or less. Where it is about mirrors, all have the same upstream, nginx is
its `proxy_cache` with `proxy_cache_lock`, "direct" is the upstream itself, and "baseline" is Entrepot without what the
row is about. "inf" says that a client was not served.
"""


def format_tables(results: Mapping[str, Sequence[Result]]) -> str:
    """Return a table for each part that anything was measured of."""
    return "\n\n".join(f"## {part}\n\n{format_table(measured)}" for part, measured in results.items() if measured)


def format_table(results: Sequence[Result]) -> str:
    """Return a table, its columns aligned; it has those of the contenders that were measured."""
    others = [other for other in OTHERS if any(other in result.figures for result in results)]
    headings = ["work", "unit", ENTREPOT, *others, *(f"x {other}" for other in others), "to reach", "reached"]
    rows = [headings, *(cells(result, others) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def cells(result: Result, others: Sequence[str]) -> list[str]:
    """One row of a table."""
    medians = [format_figure(result.median(contender)) for contender in (ENTREPOT, *others)]
    times = [format_figure(result.times(contender)) for contender in others]
    row = result.row
    return [row.work, row.unit, *medians, *times, str(row.target), "yes" if result.reached() else "**no**"]


def format_figure(figure: float | None) -> str:
    """Three digits that mean something, or a dash."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def write_results(path: Path, results: Mapping[str, Sequence[Result]], machine: Sequence[str], rounds: int) -> None:
    """Write the page; remarks that people have added at its end are kept."""
    remarks = path.read_text().partition(REMARKS)[2] if path.exists() else ""
    parts = [
        "# Results of the benchmark",
        EXPLANATION.format(rounds=rounds),
        f"{datetime.now(UTC):%Y-%m-%d}:",
        "\n".join(f"- {line}" for line in machine),
        format_tables(results),
        *([REMARKS + remarks.rstrip()] if remarks else []),
    ]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n")
