"""Credential helpers as tests need them: small shell scripts that note how often they ran."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Helper:
    """A program, what it was asked, and how often."""

    path: Path

    @property
    def command(self) -> str:
        return str(self.path)

    @property
    def asked(self) -> list[str]:
        """The hosts, in order."""
        notes = self.path.with_name(self.path.name + ".asked")
        return notes.read_text().splitlines() if notes.exists() else []


def make_helper(path: Path, script: str) -> Helper:
    """A helper that notes its argument and what it reads, and goes on with `script`."""
    note = f'read -r host; echo "$1 $host" >> "{path}.asked"'
    path.write_text(f"#!/bin/sh\n{note}\n{script}\n")
    path.chmod(0o755)
    return Helper(path)


def answer(username: str, secret: str) -> str:
    """The script that knows these credentials, whoever asks."""
    return f"""echo '{{"ServerURL":"any","Username":"{username}","Secret":"{secret}"}}'"""
