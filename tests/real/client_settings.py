"""What a mirror's clients are to be told, taken from where people take it: the documentation, and the server itself."""

import re
from pathlib import Path

from entrepot.cli.announcement import announcement
from entrepot.config.load import load
from entrepot.server.listener import Address
from tests.servers import Server

DOCUMENT = Path(__file__).parents[2] / "docs/pull-through-cache.md"
# What the document calls a mirror, and the registry that it mirrors.
MIRROR, NAMESPACE = "mirror.example:5000", "ghcr.io"
TITLE_WIDTH = 15


def documented(file: str, mirror: Server, namespace: str) -> str:
    """The block that the documentation shows for this file of a client, with the names of a test in it."""
    block = re.search(
        rf"^[^\n]*`/etc/{re.escape(file)}`.*?^```toml\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    assert block is not None
    assert MIRROR in block[1]
    return block[1].replace(MIRROR, mirror.address).replace(NAMESPACE, namespace)


def announced(file: str, mirror: Server, namespace: str) -> str:
    """The lines for this file of a client that the server prints at its start; they name all its upstreams."""
    configuration = load(str(mirror.directory / "config.yml"), {}).configuration
    lines = announcement(configuration, Address("127.0.0.1", mirror.port))
    first = next(number for number, line in enumerate(lines) if line[TITLE_WIDTH:] == f"# /etc/{file}")
    following = next(
        (number for number in range(first + 1, len(lines)) if lines[number][:TITLE_WIDTH].strip()), len(lines)
    )
    text = "\n".join(line[TITLE_WIDTH:] for line in lines[first:following])
    assert mirror.address in text
    return text
