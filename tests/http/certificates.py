"""Certificates for tests, made by openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.programs import need


@dataclass(frozen=True)
class Pair:
    """The paths of a self-signed certificate for localhost and 127.0.0.1, and of its key."""

    certificate: Path
    key: Path

    @property
    def settings(self) -> dict[str, str]:
        """The section `http.tls`."""
        return {"certificate": str(self.certificate), "key": str(self.key)}


def make_pair(directory: Path, name: str = "server", *, key: str = "rsa:2048", days: int = 2) -> Pair:
    """Make a pair in `directory`; `key` is what openssl calls the kind of key, `ec:CURVE` among others."""
    pair = Pair(directory / f"{name}.pem", directory / f"{name}.key")
    kind, _, detail = key.partition(":")
    wanted = ["ec", "-pkeyopt", f"ec_paramgen_curve:{detail}"] if kind == "ec" else [key]
    command = [
        need("openssl"),
        "req",
        "-x509",
        "-newkey",
        *wanted,
        "-nodes",
        "-days",
        str(days),
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(pair.key), "-out", str(pair.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return pair


def encrypt(key: Path, target: Path) -> Path:
    """A copy of a key that only a passphrase opens."""
    command = [need("openssl"), "pkey", "-aes256", "-passout", "pass:planted", "-in", str(key), "-out", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target
