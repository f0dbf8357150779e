"""`entrepot check-config`: every problem of a configuration at once, without starting anything."""

from __future__ import annotations

import typer

from entrepot.cli.configuration import ConfigPath, read


def check_config(config: ConfigPath = None) -> None:
    """Check a configuration and print every problem. Exits with 2 when there is one."""
    loaded = read(config)
    typer.echo(f"{loaded.path}: valid")
