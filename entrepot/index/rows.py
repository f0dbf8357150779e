"""How what is known of a cache is written into the tables; newer rows are never replaced by older ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

from entrepot.ledger import Link, TagLink
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName

NamespaceOf = Callable[[RepositoryName], str]

_PUT_LINK = """
    INSERT INTO links (namespace, name, digest, kind, size, used_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (name, digest, kind) DO UPDATE SET namespace = excluded.namespace, size = excluded.size,
        used_at = CASE WHEN excluded.used_at > links.used_at THEN excluded.used_at ELSE links.used_at END"""

_PUT_REF = "INSERT INTO refs (parent, child, size) VALUES (?, ?, ?) ON CONFLICT (parent, child) DO NOTHING"

_PUT_TAG = """
    INSERT INTO tags (name, tag, digest, confirmed_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (name, tag) DO UPDATE SET digest = excluded.digest, confirmed_at = excluded.confirmed_at
    WHERE excluded.confirmed_at > tags.confirmed_at"""

# What an index, or an image, needs is used with it, down to the layers of the images of an index.
_USE = """
    UPDATE links SET used_at = :now WHERE name = :name AND used_at < :now AND digest IN (
        SELECT :digest
        UNION SELECT child FROM refs WHERE parent = :digest
        UNION SELECT below.child FROM refs AS above JOIN refs AS below ON below.parent = above.child
              WHERE above.parent = :digest)"""

_GROW = """
    INSERT INTO growth (namespace, added) VALUES (?, ?)
    ON CONFLICT (namespace) DO UPDATE SET added = growth.added + excluded.added"""


def put_links(connection: sqlite3.Connection, links: Iterable[Link], namespace_of: NamespaceOf) -> None:
    """Add links, or say that they were used again."""
    connection.executemany(_PUT_LINK, ((namespace_of(link.name), *link) for link in links))


def put_needs(connection: sqlite3.Connection, needs: Mapping[Digest, Sequence[tuple[Digest, int]]]) -> None:
    """Say what manifests need."""
    connection.executemany(
        _PUT_REF, ((parent, child, size) for parent, children in needs.items() for child, size in children)
    )


def put_tags(connection: sqlite3.Connection, tags: Iterable[TagLink]) -> None:
    """Say what tags name."""
    connection.executemany(_PUT_TAG, tags)


def use(connection: sqlite3.Connection, used: Iterable[tuple[RepositoryName, Digest]], now: float) -> None:
    """Say that content, and what it needs, was used."""
    connection.executemany(_USE, ({"now": now, "name": name, "digest": digest} for name, digest in used))


def grow(connection: sqlite3.Connection, links: Iterable[Link], namespace_of: NamespaceOf) -> None:
    """Count the bytes of links that may be new."""
    added: dict[str, int] = {}
    for link in links:
        namespace = namespace_of(link.name)
        added[namespace] = added.get(namespace, 0) + link.size
    connection.executemany(_GROW, added.items())
