"""`entrepot fsck`: reads everything in the store, says what is wrong with it, and mends what can be mended."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from entrepot.cli.configuration import ConfigPath, read
from entrepot.config.drivers import Filesystem
from entrepot.config.root import Configuration
from entrepot.server.checking import Checking, NothingToCheck, build_checking
from entrepot.storage.findings import Finding


def fsck(
    config: ConfigPath = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Put damaged content aside, to come anew, and remove links to what is not there.",
        ),
    ] = False,
) -> None:
    """Check the whole store, also while it is served. Exits with 0 where it is sound, else with 1, a line each."""
    configuration = read(config).configuration
    try:
        found = asyncio.run(_check(configuration, repair=repair))
    except (NothingToCheck, OSError) as error:
        typer.echo(f"failed to check: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("the store is sound" if not found else f"{found} finding{'s' if found > 1 else ''}", err=True)
    raise typer.Exit(1 if found else 0)


async def _check(configuration: Configuration, *, repair: bool) -> int:
    _require_root(configuration)
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=None)
        checking = build_checking(configuration, lambda size: progress.advance(task, size))
        try:
            if sys.stderr.isatty():
                progress.update(task, total=await checking.contents.size())
            return await _findings(checking, repair=repair)
        finally:
            checking.close()


async def _findings(checking: Checking, *, repair: bool) -> int:
    count = 0
    # Content first: what is put aside then is not there for the links that name it.
    for stage in (checking.contents.findings, checking.soundness.findings):
        async for finding in stage():
            count += 1
            typer.echo(await _line(checking, finding, repair=repair))
    return count


async def _line(checking: Checking, finding: Finding, *, repair: bool) -> str:
    if not repair:
        return finding.text
    done = await checking.mending.mend(finding)
    return f"{finding.text}: {done or 'cannot be mended here; push it again'}"


def _require_root(configuration: Configuration) -> None:
    storage = configuration.storage.driver
    if isinstance(storage, Filesystem) and not os.path.isdir(storage.rootdirectory):
        # An empty store is sound; one that is not mounted is not.
        raise NothingToCheck(f"{storage.rootdirectory} is no directory; mount it, or name another one")
