"""Docker's schema 1 as `compatibility.schema1` asks for it.

Imported only where it is asked for: its library takes megabytes of each process.
"""

from __future__ import annotations

from functools import partial

from entrepot.api.schema1 import Schema1Handlers
from entrepot.api.table import Around
from entrepot.config.compatibility import Schema1
from entrepot.registry import Registry
from entrepot.schema1.signing import Signer


def around(settings: Schema1, registry: Registry) -> Around:
    """What stands around the handlers of manifests. Raises what `Signer.read` raises."""
    signer = Signer.read(settings.signingkeyfile) if settings.signingkeyfile else Signer.generate()
    return partial(Schema1Handlers, registry=registry, signer=signer)


def problem(path: str) -> str | None:
    """Why the key in a file cannot sign."""
    try:
        Signer.read(path).sign(b"{\n}")
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    except (ValueError, TypeError) as error:
        return f"{path} holds no key to sign with: {error}"
    return None
