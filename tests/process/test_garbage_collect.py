"""`entrepot garbage-collect` as a program: what it warns of, and how it fails."""

from pathlib import Path
from typing import Any

import pytest

from tests.process.command import entrepot, write_config


def configuration(tmp_path: Path, **storage: Any) -> str:
    """A registry on files that were never written."""
    root = tmp_path / "data"
    root.mkdir(exist_ok=True)
    return str(write_config(tmp_path, {"storage": {"filesystem": {"rootdirectory": str(root)}, **storage}}))


ENABLED = {"maintenance": {"garbagecollect": {"enabled": True, "age": "24h"}}}


@pytest.mark.parametrize(
    ("storage", "options", "warned"),
    [
        ({}, ("--age", "1h"), "no server renews what clients find"),
        (ENABLED, ("--age", "1h"), "86400 s, which is longer than --age"),
        (ENABLED, ("--age", "24h"), ""),
        ({"maintenance": {"readonly": {"enabled": True}}}, ("--age", "1h"), ""),
        ({}, (), ""),
    ],
)
def test_an_age_that_protects_nothing_is_warned_of(
    tmp_path: Path, storage: dict[str, Any], options: tuple[str, ...], warned: str
) -> None:
    """Where clients may push meanwhile, and rely on what they find."""
    ended = entrepot("garbage-collect", *options, configuration(tmp_path, **storage))

    assert ended.status == 0
    lines = [line for line in ended.err.splitlines() if "http.secret" not in line]
    assert len(lines) == bool(warned)
    assert warned in "".join(lines)


def test_what_cannot_be_walked_is_told_in_one_line(tmp_path: Path) -> None:
    """And nothing is removed."""
    path = configuration(tmp_path)
    repositories = tmp_path / "data/docker/registry/v2/repositories"
    repositories.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (repositories / "team").symlink_to(tmp_path / "elsewhere")
    ended = entrepot("garbage-collect", path)

    assert ended.status == 1
    line = ended.err.splitlines()[-1]
    assert line.startswith("failed to garbage collect: ")
    assert "repositories/team: a symbolic link" in line
    assert "Traceback" not in ended.err
