"""An upload under way, for the tests of what can happen to it."""

import pytest

from entrepot.testing.images import SampleBlob, random_blob
from tests.repositories import Repository, Upload


@pytest.fixture
def blob() -> SampleBlob:
    """Three thousand random bytes."""
    return random_blob(3000)


@pytest.fixture
def upload(repository: Repository, blob: SampleBlob) -> Upload:
    """A session that holds the first thousand of them."""
    begun = repository.begin()
    assert begun.append(blob.content[:1000]).status_code == 202
    return begun
