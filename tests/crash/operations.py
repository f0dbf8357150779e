"""What a client does to a registry when the server dies: the request, what may be seen after it, and the second try."""

from abc import ABC, abstractmethod

import httpx

from tests.repositories import Repository


class Operation(ABC):
    """One request that changes a repository; each instance is one attempt, in a repository that nobody has used.

    It speaks HTTP only: the files are looked at by others.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Bring the repository to where the request makes sense."""

    @abstractmethod
    def perform(self) -> httpx.Response:
        """Send the request once."""

    @abstractmethod
    def check_interrupted(self) -> None:
        """Assert that what is seen is a legal state between before and after."""

    @abstractmethod
    def try_again(self) -> None:
        """Do what a client does that got no answer, and assert that it is answered well."""

    @abstractmethod
    def check_done(self) -> None:
        """Assert that the change is there, whole."""
