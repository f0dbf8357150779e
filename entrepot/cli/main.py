"""The command line: `entrepot serve`, `check-config`, `garbage-collect`, `fsck` and `--version`."""

from __future__ import annotations

from typing import Annotated

import typer

from entrepot import __version__
from entrepot.cli.check_config import check_config
from entrepot.cli.fsck import fsck
from entrepot.cli.garbage_collect import garbage_collect
from entrepot.cli.serve import serve

app = typer.Typer(
    help="A container registry and pull-through mirror.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command("check-config")(check_config)
app.command("garbage-collect")(garbage_collect)
app.command("fsck")(fsck)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"entrepot {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-v", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A container registry and pull-through mirror on CNCF Distribution's configuration and data directory."""


def main() -> None:
    app()
