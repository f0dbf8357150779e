"""One data directory and its two servers, which share the secret that signs the states of uploads."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from tests.real.docker_registry import DockerRegistry
from tests.servers import Server

SECRET = "shared by both"
ServerName = Literal["entrepot", "docker-registry"]
BOTH: list[ServerName] = ["entrepot", "docker-registry"]


def other(server: ServerName) -> ServerName:
    """The second of the two."""
    return "entrepot" if server == "docker-registry" else "docker-registry"


class Volume:
    """A data directory below `directory`; `open` serves it by one of the two until the block ends.

    `settings` are further sections of what configures both.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.root = directory / "data"
        both = {"http": {"secret": SECRET}, **(settings or {})}
        self._entrepot = Server(directory / "entrepot", both, root=self.root)
        self._debian = DockerRegistry(self.root, more=both)

    @contextmanager
    def open(self, server: ServerName) -> Iterator[httpx.Client]:
        """Start a server on the directory and yield a client of it."""
        with ExitStack() as running:
            if server == "entrepot":
                self._entrepot.start()
                running.callback(self._entrepot.stop)
                yield running.enter_context(self._entrepot.client())
            else:
                self._debian.start()
                running.callback(self._debian.stop)
                yield running.enter_context(httpx.Client(base_url=self._debian.url, timeout=60, trust_env=False))

    def collect(self, collector: ServerName, *options: str) -> str:
        """Let one of the two remove what nothing refers to, and return what it printed."""
        if collector == "docker-registry":
            return self._debian.collect(*options)
        return self._entrepot.collect(*options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._debian.close()
