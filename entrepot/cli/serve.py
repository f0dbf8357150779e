"""`entrepot serve`: run the server, and tell the operator what to do next."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from entrepot.cli.announcement import announcement
from entrepot.cli.configuration import MOST_WORKERS, WORKERS, ConfigPath, read, read_again, workers_asked
from entrepot.config.root import Configuration
from entrepot.server.listener import Address, StartFailed
from entrepot.server.logs import tell
from entrepot.server.run import serve as run


def serve(
    config: ConfigPath = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_WORKERS, help=f"Worker processes, else {WORKERS}; 0 is one for each core.", show_default="0"
        ),
    ] = None,
) -> None:
    """Serve a registry, or a mirror where the configuration has `proxy`, until SIGTERM or SIGINT."""
    asked = workers_asked() if workers is None else workers
    configuration = read(config).configuration
    try:
        run(configuration, asked, lambda address: _announce(configuration, address), read=partial(read_again, config))
    except StartFailed as error:
        typer.echo(f"entrepot cannot start: {error}", err=True)
        raise typer.Exit(1) from None


def _announce(configuration: Configuration, address: Address) -> None:
    if configuration.log.formatter == "text":  # else a program reads the lines; it has been told by the log
        tell("\n".join(announcement(configuration, address)))
