"""Referrers that were pushed to a registry without that route, whose clients kept the list under a tag themselves."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from entrepot.oci.descriptor import OCI_INDEX
from entrepot.testing.images import SampleManifest, artifact, image
from tests.conftest import Serve
from tests.programs import need
from tests.real.docker_registry import DockerRegistry
from tests.repositories import Repository

SIGNATURE = "application/vnd.example.signature.v1"


class Before:
    """What was pushed to Distribution: a subject, two that refer to it and were listed, one that was not."""

    def __init__(self, root: Path) -> None:
        self.subject = image(0)
        self.listed = [artifact(SIGNATURE, subject=self.subject) for _ in range(2)]
        self.liar = artifact(SIGNATURE)
        entries = [one.descriptor(artifactType=SIGNATURE) for one in [*self.listed, self.liar]]
        content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        with DockerRegistry(root) as old, httpx.Client(base_url=old.url, trust_env=False) as client:
            repository = Repository(client)
            for made in [self.subject, *self.listed, self.liar]:
                repository.push(made)
            kept = SampleManifest(content, OCI_INDEX)
            repository.push(kept, self.subject.digest.replace(":", "-"))
            self.name = repository.name


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that both registries use, one after the other."""
    return tmp_path_factory.mktemp("before")


@pytest.fixture(scope="module")
def before(root: Path) -> Before:
    """All that Distribution did."""
    need("docker-registry")
    return Before(root)


@pytest.fixture(scope="module")
def repository(serve: Serve, root: Path, before: Before) -> Iterator[Repository]:
    """The same repository, served by Entrepot."""
    with serve(root=root).client() as client:
        yield Repository(client, before.name)


def test_listed_by_clients(repository: Repository, before: Before) -> None:
    """Those that the tag's index lists and that name the subject are listed, and those that came since as well."""
    found = [entry["digest"] for entry in repository.referrers(before.subject.digest)]
    assert {one.digest for one in before.listed} <= set(found)
    assert len(found) == len(set(found))
    assert before.liar.digest not in found

    since = artifact(SIGNATURE, subject=before.subject)
    repository.push(since)

    entries = {entry["digest"]: entry for entry in repository.referrers(before.subject.digest)}
    assert {one.digest for one in [*before.listed, since]} <= set(entries)
    assert entries[before.listed[0].digest]["artifactType"] == SIGNATURE


def test_listed_with_a_filter(repository: Repository, before: Before) -> None:
    """The filter applies to them too."""
    found = repository.referrers(before.subject.digest, artifactType=SIGNATURE)

    assert {one.digest for one in before.listed} <= {entry["digest"] for entry in found}
    assert repository.referrers(before.subject.digest, artifactType="application/vnd.example.other") == []
