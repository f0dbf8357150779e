"""The files that a mirror needs."""

from __future__ import annotations

import os
from pathlib import Path

from entrepot.config.readable import unreadable_files
from tests.unit.config.reading import MINIMAL, configured


def test_files_that_are_there_are_no_problem(tmp_path: Path) -> None:
    """What is in them is their readers' business, and a path that is not given is none."""
    file = tmp_path / "file"
    file.touch()
    proxy = configured(f"""{MINIMAL}
proxy:
  remoteurl: https://a
  dockerconfig: {file}
  upstreams: [{{namespace: b, remoteurl: 'https://b', ca: {file}, clientcert: {file}}}]
""").proxy

    assert list(unreadable_files(proxy)) == []


def test_every_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the path of its setting, and at once: a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    proxy = configured(f"""{MINIMAL}
proxy:
  remoteurl: https://a
  dockerconfig: {tmp_path}/missing
  ca: {tmp_path}/pipe
  upstreams:
    - {{namespace: b, remoteurl: 'https://b'}}
    - {{namespace: c, remoteurl: 'https://c', clientcert: {tmp_path}}}
""").proxy

    assert list(unreadable_files(proxy)) == [
        ("proxy.dockerconfig", f"cannot read {tmp_path}/missing: No such file or directory"),
        ("proxy.ca", f"cannot read {tmp_path}/pipe: not a file"),
        ("proxy.upstreams[1].clientcert", f"cannot read {tmp_path}: not a file"),
    ]
