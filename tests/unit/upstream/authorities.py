"""Certificate authorities for tests, and what they sign; made by openssl."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from tests.programs import need
from tests.real.processes import run

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Authority:
    """A certificate that signs others, and the directory of what it signed."""

    directory: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.directory / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return self.directory / f"{self.name}.key"

    def sign(self, name: str, *, host: str = "IP:127.0.0.1", days: int = 2) -> Path:
        """A file with a certificate for `host`, good for servers and clients, and its key; -1 `days` are over."""
        made, key, request = (self.directory / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        openssl = need("openssl")
        run([openssl, "req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)])
        extensions = self.directory / "extensions"
        extensions.write_text(f"subjectAltName={host}\nbasicConstraints=CA:FALSE\n")
        signer = ("-CA", str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial", "-days", str(days))
        given = ("-in", str(request), "-extfile", str(extensions), "-out", str(made))
        run([openssl, "x509", "-req", *signer, *given])
        made.write_bytes(made.read_bytes() + key.read_bytes())
        return made


def make_authority(directory: Path, name: str) -> Authority:
    """An authority that nobody knows yet."""
    made = Authority(directory, name)
    files = ("-keyout", str(made.key), "-out", str(made.certificate))
    run([need("openssl"), "req", "-x509", *_KEY, "-subj", f"/CN={name}", "-days", "2", *files])
    return made


def server_context(certificate: Path, clients: Authority | None = None) -> ssl.SSLContext:
    """For a server that shows `certificate`, and wants clients to show one that `clients` signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients is not None:
        context.load_verify_locations(clients.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
