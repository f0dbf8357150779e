"""skopeo, run as its users run it against a registry without TLS on 127.0.0.1."""

from pathlib import Path

from tests.real.processes import LOOPBACK_ONLY, run

# No credentials of the person who runs the tests: skopeo would send them.
ENVIRONMENT = {**LOOPBACK_ONLY, "REGISTRY_AUTH_FILE": "/nonexistent/auth.json"}
POLICY = "--insecure-policy"


def login(address: str, user: str, password: str, authfile: Path) -> None:
    """Log in to a registry, and keep that in `authfile`; raise ProgramFailed."""
    options = ("--tls-verify=false", "--authfile", str(authfile), "-u", user, "-p", password)
    run(["skopeo", POLICY, "login", *options, address], ENVIRONMENT)


def copy(source: str, destination: str, *options: str) -> None:
    """Copy an image between two transports without changing a byte of it; raise ProgramFailed."""
    convert(source, destination, "--preserve-digests", *options)


def convert(source: str, destination: str, *options: str) -> None:
    """Copy an image between two transports in the form that the destination wants; raise ProgramFailed."""
    insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
    run(["skopeo", POLICY, "copy", *insecure, *options, source, destination], ENVIRONMENT)


def copy_by(registries_conf: Path, source: str, destination: str) -> None:
    """Copy an image as `copy` does, from where this `registries.conf` says, and without TLS only where it says so."""
    options = ("--registries-conf", str(registries_conf))
    run(["skopeo", POLICY, *options, "copy", "--preserve-digests", source, destination], ENVIRONMENT)


def inspect_raw(source: str) -> str:
    """Return the manifest of an image as text."""
    return run(["skopeo", POLICY, "inspect", "--raw", "--tls-verify=false", source], ENVIRONMENT)


def list_tags(repository: str) -> str:
    """Return skopeo's JSON list of a repository's tags."""
    return run(["skopeo", POLICY, "list-tags", "--tls-verify=false", f"docker://{repository}"], ENVIRONMENT)


def delete(image: str) -> None:
    """Delete the manifest that an image's tag names; raise ProgramFailed."""
    run(["skopeo", POLICY, "delete", "--tls-verify=false", f"docker://{image}"], ENVIRONMENT)
