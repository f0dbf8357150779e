"""Operations on manifests and tags."""

import httpx

from entrepot.testing.images import artifact, image
from tests.crash.operations import Operation
from tests.crash.seen import check_list, check_manifest


class PutManifest(Operation):
    """PUT of a manifest with a subject under its digest, with a new tag as a parameter."""

    tags = ("v1",)

    def prepare(self) -> None:
        # A subject may be absent, and is.
        self.subject = image(1)
        self.manifest = artifact("application/vnd.example.sbom", subject=self.subject)
        self.repository.push_blobs(self.manifest)

    def perform(self) -> httpx.Response:
        return self.repository.put_manifest(self.manifest.digest, self.manifest, tags=self.tags)

    def check_interrupted(self) -> None:
        present = check_manifest(self.repository, self.manifest.digest, [self.manifest], may_be_absent=True)
        for tag in self.tags:
            tagged = check_manifest(self.repository, tag, [self.manifest], may_be_absent=True)
            assert present or not tagged
        check_list(self.repository, self.tags)

    def try_again(self) -> None:
        assert self.perform().status_code == 201

    def check_done(self) -> None:
        for reference in (self.manifest.digest, *self.tags):
            check_manifest(self.repository, reference, [self.manifest])
        assert [one["digest"] for one in self.repository.referrers(self.subject.digest)] == [self.manifest.digest]


class MoveTag(Operation):
    """PUT of a manifest under a tag that names another one."""

    def prepare(self) -> None:
        self.old, self.new = image(1), image(1)
        self.repository.push(self.old, "latest")
        self.repository.push_blobs(self.new)

    def perform(self) -> httpx.Response:
        return self.repository.put_manifest("latest", self.new)

    def check_interrupted(self) -> None:
        check_manifest(self.repository, "latest", [self.old, self.new])
        check_manifest(self.repository, self.old.digest, [self.old])

    def try_again(self) -> None:
        assert self.perform().status_code == 201

    def check_done(self) -> None:
        check_manifest(self.repository, "latest", [self.new])
        check_manifest(self.repository, self.old.digest, [self.old])


class DeleteTag(Operation):
    """DELETE of one of two tags."""

    def prepare(self) -> None:
        self.manifest = image(1)
        self.repository.push(self.manifest, "gone", "kept")

    def perform(self) -> httpx.Response:
        return self.repository.delete("manifests/gone")

    def check_interrupted(self) -> None:
        check_manifest(self.repository, "gone", [self.manifest], may_be_absent=True)
        check_list(self.repository, ("gone",))
        self._check_kept()

    def try_again(self) -> None:
        assert self.perform().status_code in (202, 404)

    def check_done(self) -> None:
        assert self.repository.get("manifests/gone").status_code == 404
        assert self.repository.tags() == ["kept"]
        self._check_kept()

    def _check_kept(self) -> None:
        for reference in ("kept", self.manifest.digest):
            check_manifest(self.repository, reference, [self.manifest])


class DeleteManifest(Operation):
    """DELETE of a manifest that two tags name."""

    tags = ("v1", "latest")

    def prepare(self) -> None:
        self.manifest, self.other = image(1), image(1)
        self.repository.push(self.manifest, *self.tags)
        self.repository.push(self.other, "other")

    def perform(self) -> httpx.Response:
        return self.repository.delete(f"manifests/{self.manifest.digest}")

    def check_interrupted(self) -> None:
        present = check_manifest(self.repository, self.manifest.digest, [self.manifest], may_be_absent=True)
        for tag in self.tags:
            tagged = check_manifest(self.repository, tag, [self.manifest], may_be_absent=True)
            assert present or not tagged
        check_list(self.repository, self.tags)
        check_manifest(self.repository, "other", [self.other])

    def try_again(self) -> None:
        assert self.perform().status_code in (202, 404)

    def check_done(self) -> None:
        for reference in (self.manifest.digest, *self.tags):
            assert self.repository.get(f"manifests/{reference}").status_code == 404
        assert self.repository.tags() == ["other"]
        check_manifest(self.repository, "other", [self.other])
