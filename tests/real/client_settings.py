"""What a mirror's clients are to be told, taken from where people take it."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs/pull-through-cache.md"
HOSTS = "/etc/containerd/certs.d/_default/hosts.toml"
REGISTRIES = "/etc/containers/registries.conf.d/mirror.conf"

# What the document calls a mirror, and the registry that it mirrors.
MIRROR, NAMESPACE = "mirror.example:5000", "ghcr.io"


def documented(file: str, mirror: str, namespace: str) -> str:
    """The block that the documentation shows for this file of a client, of the mirror and namespace given."""
    block = re.search(
        rf"^[^\n]*`{re.escape(file)}`.*?^```toml\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    assert block is not None
    assert MIRROR in block[1]
    return block[1].replace(MIRROR, mirror).replace(NAMESPACE, namespace)
