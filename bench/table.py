"""Results as a Markdown table, which is also what the terminal shows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.contenders import ENTREPOT, NGINX, REGISTRY
from bench.row import Result

HEADINGS = ["work", "unit", ENTREPOT, REGISTRY, NGINX, f"x {REGISTRY}", f"x {NGINX}", "to reach", "reached"]
REMARKS = "## Remarks"
EXPLANATION = """\
Written by `python -m bench`. All servers and the load generator share the cores; everything is in the page cache.
Figures are medians of {rounds} rounds in which the servers took turns. "x nginx" says how many times as good as
nginx Entrepot is, whether more is better or less.
"""


def format_table(results: Sequence[Result]) -> str:
    """Return the table, its columns aligned."""
    rows = [HEADINGS, *(cells(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def cells(result: Result) -> list[str]:
    """One row of the table."""
    medians = [format_figure(result.median(contender)) for contender in (ENTREPOT, REGISTRY, NGINX)]
    times = [format_figure(result.times(contender)) for contender in (REGISTRY, NGINX)]
    row = result.row
    return [row.work, row.unit, *medians, *times, str(row.target), "yes" if result.reached() else "**no**"]


def format_figure(figure: float | None) -> str:
    """Three digits that mean something, or a dash."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def write_results(path: Path, results: Sequence[Result], machine: Sequence[str], rounds: int) -> None:
    """Write the page; remarks that people have added at its end are kept."""
    remarks = path.read_text().partition(REMARKS)[2] if path.exists() else ""
    parts = [
        "# Results of the benchmark",
        EXPLANATION.format(rounds=rounds),
        f"{datetime.now(UTC):%Y-%m-%d}:",
        "\n".join(f"- {line}" for line in machine),
        format_table(results),
        *([REMARKS + remarks.rstrip()] if remarks else []),
    ]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n")
