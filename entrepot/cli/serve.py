"""`entrepot serve`: run the server, and tell the operator what to do next."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from entrepot.cli.configuration import MOST_WORKERS, WORKERS, ConfigPath, read, workers_asked
from entrepot.config.drivers import Filesystem
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
    """Serve a registry, or a mirror where the configuration has `proxy.remoteurl`, until SIGTERM or SIGINT."""
    asked = workers_asked() if workers is None else workers
    configuration = read(config).configuration
    try:
        run(configuration, asked, lambda address: _announce(configuration, address))
    except StartFailed as error:
        typer.echo(f"entrepot cannot start: {error}", err=True)
        raise typer.Exit(1) from None


def _announce(configuration: Configuration, address: Address) -> None:
    if configuration.log.formatter != "text":
        return  # a program reads the lines; it has been told by the log
    storage = configuration.storage.driver
    url = _url(configuration, address)
    lines = [
        f"listening on   {url}",
        f"data in        {os.path.abspath(storage.rootdirectory) if isinstance(storage, Filesystem) else 'memory'}",
    ]
    if configuration.proxy.remoteurl:
        lines.append(f"mirror of      {configuration.proxy.remoteurl}")
        lines.append(f"daemon.json    {json.dumps({'registry-mirrors': [url]})}")
    tell("\n".join(lines))


def _url(configuration: Configuration, address: Address) -> str:
    if address.path:
        return f"unix:{address.path}"
    scheme = "https" if configuration.http.tls.certificate else "http"
    host = "localhost" if address.host in ("::", "0.0.0.0") else address.host  # noqa: S104  # compared, not bound
    bracketed = f"[{host.replace('%', '%25')}]" if ":" in host else host  # RFC 6874
    return f"{scheme}://{bracketed}:{address.port}"
