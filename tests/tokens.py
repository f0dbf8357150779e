"""A configuration that believes a token service."""

from pathlib import Path
from typing import Any

from entrepot.testing.token_service import TokenService


def token_settings(directory: Path, service: TokenService) -> dict[str, Any]:
    """The section `auth`."""
    bundle = service.write_bundle(directory / "bundle.pem")
    settings = {"realm": "https://auth.example/token", "service": service.service, "issuer": service.issuer}
    return {"token": {**settings, "rootcertbundle": str(bundle)}}
