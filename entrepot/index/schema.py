"""The tables of the index, in SQL that PostgreSQL understands too, and how a file is known to hold them."""

from __future__ import annotations

import sqlite3

VERSION = "1"
"""Of the tables. A file of another one is not converted: all that is in it can be gathered again from the layout."""

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # A repository's links to what came from an upstream; `namespace` tells which one.
    """CREATE TABLE links (namespace TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, kind TEXT NOT NULL,
       size BIGINT NOT NULL, used_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (name, digest, kind))""",
    "CREATE INDEX links_by_use ON links (used_at, kind DESC)",
    "CREATE INDEX links_by_namespace ON links (namespace, used_at, kind DESC)",
    "CREATE INDEX links_by_digest ON links (digest, namespace, size)",
    # What a manifest needs; `size` as the manifest tells it.
    """CREATE TABLE refs (parent TEXT NOT NULL, child TEXT NOT NULL, size BIGINT NOT NULL,
       PRIMARY KEY (parent, child))""",
    "CREATE INDEX refs_by_child ON refs (child, size)",
    """CREATE TABLE tags (name TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
       confirmed_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (name, tag))""",
    "CREATE INDEX tags_by_digest ON tags (name, digest)",
    # Bytes that have been added since the index was made, so that not all of it is counted each time.
    "CREATE TABLE growth (namespace TEXT PRIMARY KEY, added BIGINT NOT NULL)",
    # Content that has lost a link, until it is known whether it was the last.
    "CREATE TABLE leaving (digest TEXT PRIMARY KEY)",
)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is nothing at all in the file, because it has just been made."""
    return bool(connection.execute("SELECT COUNT(*) = 0 FROM sqlite_master").fetchone()[0])


def create_tables(connection: sqlite3.Connection) -> None:
    """Make an empty file an index, whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO meta (key, value) VALUES ('version', ?)", (VERSION,))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def misfit(connection: sqlite3.Connection) -> str | None:
    """Why the file is no index of ours; None where it is one."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # busy, no memory: nothing is known of the file
            raise
        return "it holds other tables"
    if row is None or row[0] != VERSION:
        return f"its version is {None if row is None else str(row[0])[:32]!r}, not {VERSION!r}"
    return None
