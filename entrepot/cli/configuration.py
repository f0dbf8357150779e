"""Reading the configuration for a command: problems and warnings on standard error, exit code 2."""

from __future__ import annotations

import os
import re
from typing import Annotated

import typer

from entrepot.config.load import Loaded, default_text, load, locate, parse
from entrepot.config.problems import ConfigurationError, Problem
from entrepot.config.root import Configuration

WORKERS = "ENTREPOT_WORKERS"
MOST_WORKERS = 1024

ConfigPath = Annotated[
    str | None,
    typer.Argument(
        metavar="[CONFIG]",
        help="Path of config.yml; else REGISTRY_CONFIGURATION_PATH; else the built-in mirror of Docker Hub.",
        show_default=False,
    ),
]


def read(argument: str | None) -> Loaded:
    """The configuration that the argument, the environment, or else the program itself gives. Exits with 2."""
    try:
        loaded = _load(argument)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"configuration error: {problem}", err=True)
        raise typer.Exit(2) from None
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return loaded


def read_again(argument: str | None) -> Configuration:
    """As `read`, while the server runs. Raises ConfigurationError."""
    return _load(argument).configuration


def _load(argument: str | None) -> Loaded:
    environ = {name: value for name, value in os.environ.items() if name != WORKERS}
    if locate(argument, environ) is None:
        return parse(default_text(), environ, "the built-in configuration")
    return load(argument, environ)


def workers_asked() -> int:
    """How many worker processes the environment asks for; 0 where it does not say. Exits with 2."""
    text = os.environ.get(WORKERS, "").strip()
    if text and not (re.fullmatch("[0-9]{1,4}", text) and int(text) <= MOST_WORKERS):
        problem = Problem("", f"{text[:64]!r} is not a number from 0 to {MOST_WORKERS}", WORKERS)
        typer.echo(f"configuration error: {problem}", err=True)
        raise typer.Exit(2)
    return int(text or 0)
