#!/usr/bin/env python3
"""Writes docs/keys.md: every key of the configuration, and how it is against Distribution.

The keys are the models' (entrepot/config), what is different stands in docs/differences.yml, all others are the same.
A test runs this with --check, which says what is wrong and changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from entrepot.config.root import Configuration
from entrepot.config.section import Section, section_in
from entrepot.config.supported import NOT_YET

PROJECT = Path(__file__).resolve().parents[1]
PAGE, REASONS = PROJECT / "docs" / "keys.md", PROJECT / "docs" / "differences.yml"
HEAD = """# Every key, against Distribution

Written by `scripts/compatibility_table.py` from the models of the configuration and `docs/differences.yml`; a test
compares. What each key means: [configuration.md](configuration.md). *refused*: the start stops, and says so. *ours*:
Distribution has no such key; inside `storage.maintenance` it ignores it.

| key | against Distribution |
|---|---|
"""


def keys(section: type[Section], above: str = "") -> Iterator[str]:
    """All keys below a section, those of lists with `[]`."""
    for key, field in section.by_key().items():
        below = section_in(field.annotation)
        if below is None or not below.model_fields:
            yield f"{above}{key}"
        else:
            is_list = str(field.annotation).startswith("tuple[")
            yield from keys(below, f"{above}{key}{'[]' if is_list else ''}.")


def table() -> str:
    """The page. Raises SystemExit where a reason is for no key."""
    reasons: dict[str, str] = yaml.safe_load(REASONS.read_text(encoding="utf-8"))
    rows, used = [], set()
    for key in keys(Configuration):
        bare = key.replace("[]", "")
        if any(bare == path or bare.startswith(f"{path}.") for path in NOT_YET):
            rows.append(f"| `{key}` | refused, not yet |")
            continue
        found = max((one for one in reasons if key == one or key.startswith(f"{one}.")), key=len, default="")
        used.add(found)
        rows.append(f"| `{key}` | {reasons.get(found, 'same')} |")
    if unused := sorted(set(reasons) - used):
        sys.exit(f"docs/differences.yml has reasons for what is no key: {', '.join(unused)}")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    made = table()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
        sys.exit("docs/keys.md is out of date: run scripts/compatibility_table.py")
