"""Reading the configuration for a command: problems and warnings on standard error, exit code 2."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from entrepot.config.load import Loaded, default_text, load, locate, parse
from entrepot.config.problems import ConfigurationError

WORKERS = "ENTREPOT_WORKERS"

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
    environ = {name: value for name, value in os.environ.items() if name != WORKERS}
    try:
        if locate(argument, environ) is None:
            loaded = parse(default_text(), environ, "the built-in configuration")
        else:
            loaded = load(argument, environ)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"configuration error: {problem}", err=True)
        raise typer.Exit(2) from None
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return loaded
