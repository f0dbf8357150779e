"""Patterns of repository names: `team/**`, `library/*`. They become expressions that never take long to match."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

_LONGEST = 255
_COMPONENT = re.compile(r"[a-z0-9._*-]+")
_ANY_DEPTH = "**"
_ANY_NAME = "[^/]+"


def parse_glob(text: str) -> re.Pattern[str]:
    """An expression that matches whole names, by whichever method it is used. Raises Unfit.

    `*` stands for any characters within one component. `**` stands alone for any number of components: none as well in
    front of others, at least one at the end, so that `team/**` is all below `team` and not `team` itself.
    """
    components = text.split("/")
    if len(text) > _LONGEST or not all(map(_is_component, components)):
        raise Unfit(f"{text[:64]!r} is not a pattern of repositories such as library/*, team/** or *")
    once = components[:1] + [now for before, now in pairwise(components) if (before, now) != (_ANY_DEPTH, _ANY_DEPTH)]
    return re.compile(rf"\A{_expression(once)}\Z")


def _is_component(component: str) -> bool:
    return component == _ANY_DEPTH or (_COMPONENT.fullmatch(component) is not None and _ANY_DEPTH not in component)


def _expression(components: list[str]) -> str:
    runs: list[list[str]] = [[]]
    for component in components:
        if component == _ANY_DEPTH:
            runs.append([])
        else:
            runs[-1].append(_name(component))
    first, *between, last = runs if len(runs) > 1 else ([], *runs)
    if len(runs) == 1:
        return "/".join(last)
    # The first place where a run fits is as good as any later one, so that no other has to be tried: hence atomic.
    inner = "".join(f"(?>(?:{_ANY_NAME}/)*?{_run(run)})" for run in between)
    return f"{_run(first)}{inner}(?:{_ANY_NAME}/)*{'/'.join(last) or _ANY_NAME}"


def _run(names: list[str]) -> str:
    return "".join(f"{name}/" for name in names)


def _name(component: str) -> str:
    """The expression of one component; what stands between two stars is sought once, as above."""
    if component == "*":
        return _ANY_NAME
    first, *others = map(re.escape, component.split("*"))
    if not others:
        return first
    *between, last = others
    return first + "".join(f"(?>[^/]*?{literal})" for literal in between) + f"[^/]*{last}"


Glob = Annotated[re.Pattern[str], BeforeValidator(lambda value: parse_glob(as_text(value)))]
