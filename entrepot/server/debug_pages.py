"""What the debug listener shows of the server's processes, in the place of Go's pprof and expvar. Asks their probes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

from entrepot.diagnostics.probe import LONGEST_PROFILE, ask, probed

Page = tuple[str, str]
"""Media type and text."""

_TEXT = "text/plain; charset=utf-8"
_DEFAULT_SECONDS = 5
_PATIENCE = 1.5
"""Seconds; with the longest profile still within what the listener gives an exchange."""


class BadQuery(Exception):
    """The query asks for something that there is not; the text says what there is."""


def page(directory: Path, path: str, query: str) -> Page | None:
    """The page of that path; None where there is none. Raises BadQuery. Waits for the processes."""
    make = _PAGES.get(path)
    return None if make is None else make(directory, query)


def _vars(directory: Path, query: str) -> Page:
    processes = {name: json.loads(answer) for name, answer in _answers(directory, "figures").items()}
    return "application/json", json.dumps({"cmdline": sys.argv, "processes": processes}, indent=1)


def _tasks(directory: Path, query: str) -> Page:
    return _TEXT, _sections(directory, "tasks")


def _memory(directory: Path, query: str) -> Page:
    return _TEXT, _sections(directory, "objects")


def _profile(directory: Path, query: str) -> Page:
    text = parse_qs(query).get("seconds", [str(_DEFAULT_SECONDS)])[0]
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= LONGEST_PROFILE):
        raise BadQuery(f"seconds must be a whole number from 1 to {LONGEST_PROFILE}")
    answers = _answers(directory, f"profile {text}", int(text) + _PATIENCE)
    # One file for all of them, as programs read it: the process is the root of its stacks.
    return _TEXT, "".join(f"{name};{line}\n" for name, answer in answers.items() for line in answer.splitlines())


_PAGES: dict[str, Callable[[Path, str], Page]] = {
    "/debug/vars": _vars,
    "/debug/tasks": _tasks,
    "/debug/memory": _memory,
    "/debug/profile": _profile,
}


def _sections(directory: Path, question: str) -> str:
    return "\n".join(f"# {name}\n{answer}" for name, answer in _answers(directory, question).items())


def _answers(directory: Path, question: str, patience: float = _PATIENCE) -> dict[str, str]:
    """Those of all processes, asked at the same time, which answer within so many seconds."""
    names = probed(directory)
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as threads:
        answers = threads.map(lambda name: ask(directory, name, question, patience), names)
        return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}
