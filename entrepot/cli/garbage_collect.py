"""`entrepot garbage-collect`: frees what nobody needs any more, once, with Distribution's options and output."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from entrepot.cli.configuration import ConfigPath, read
from entrepot.config.durations import parse_period
from entrepot.config.storage import Maintenance
from entrepot.driver import PathInvalid
from entrepot.server.collecting import NothingToCollect, build_garbage
from entrepot.storage.garbage import Collected, Policy

_PAUSE = 2.0
"""Seconds in which a push links what it has just found, or brought."""


def garbage_collect(
    config: ConfigPath = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-d", help="Say what would go, and leave it.")] = False,
    delete_untagged: Annotated[
        bool, typer.Option("--delete-untagged", "-m", help="Also delete manifests that no tag leads to.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of what is fine.")] = False,
    age: Annotated[
        str, typer.Option(help="Leave what is younger, such as 1h: needed where the registry is written to meanwhile.")
    ] = "0s",
) -> None:
    """Free the bytes that nobody needs. Without --age nothing may be pushed meanwhile. Exits with 1 on a failure."""
    try:
        seconds = parse_period(age)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--age") from None
    loaded = read(config)
    for text in _risks(loaded.configuration.storage.maintenance, seconds):
        typer.echo(f"warning: {text}", err=True)
    policy = Policy(seconds, untagged=delete_untagged, dry_run=dry_run)
    try:
        # Where nobody pushes nobody has to be waited for.
        pause = _PAUSE if seconds else 0.0
        garbage, close = build_garbage(loaded.configuration, policy, _silent if quiet else typer.echo, pause)
        try:
            collected = asyncio.run(garbage.collect())
        finally:
            close()
    except (NothingToCollect, PathInvalid, OSError) as error:
        typer.echo(f"failed to garbage collect: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(_summary(collected, dry_run=dry_run))


def _risks(maintenance: Maintenance, age: float) -> Iterator[str]:
    """What may go that a client has just found, where the registry is written to meanwhile."""
    if not age or maintenance.readonly.enabled:
        return
    settings = maintenance.garbagecollect
    if not settings.enabled:
        yield "without storage.maintenance.garbagecollect no server renews what clients find, however young it is"
    elif age < settings.age:
        yield f"a server keeps what clients find for {settings.age:g} s, which is longer than --age"


def _silent(_: str) -> None:
    """Nothing."""


def _summary(collected: Collected, *, dry_run: bool) -> str:
    done = "would be freed" if dry_run else "freed"
    return (
        f"\n{collected.marked} blobs marked, {collected.blobs} blobs and {collected.manifests} manifests eligible for "
        f"deletion, {collected.links} layer links, {collected.size} bytes {done}"
    )
