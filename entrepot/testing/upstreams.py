"""A registry to pull from, on real sockets, that obeys or misbehaves as a test tells it.

    async with TestUpstream() as upstream:
        digest = upstream.add_image("library/busybox", "1", image())
        upstream.misbehave(cut(1000), path="/blobs/", times=1)

It holds everything in memory, counts what it is asked and what it sends, can want tokens or a password, and can
redirect blobs to other origins that refuse every Authorization header, as signed URLs of object stores do: each
redirect to the next of them, with a signature of its own that can expire.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from entrepot.oci.descriptor import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid
from entrepot.oci.manifest import parse
from entrepot.testing.demands import Anonymous, Demand
from entrepot.testing.faults import Fault, Reply
from entrepot.testing.images import SampleManifest
from entrepot.testing.origins import Origin, Seen
from entrepot.wire.links import format_next
from entrepot.wire.ranges import Unsatisfiable, format_content_range, parse_range

CDN_PATH = "/cdn/"
"""Where blobs are on the second origin, for faults that are to strike only there."""

_START_LIMIT = 30.0


class Repository:
    """What one repository of the upstream holds; change it at will, also while it is served."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}

    def manifest(self, reference: str) -> tuple[str, str, bytes] | None:
        """Digest, media type and bytes of what a tag or digest names."""
        digest = self.tags.get(reference, reference)
        found = self.manifests.get(digest)
        return None if found is None else (digest, *found)


@dataclass(slots=True)
class Rule:
    """A fault for the requests it fits, so many times (None: always); `met` counts how often it struck."""

    fault: Fault
    path: str
    method: str | None
    times: int | None
    met: int = 0

    def fits(self, seen: Seen) -> bool:
        """Whether it is to strike now."""
        is_left = self.times is None or self.met < self.times
        return is_left and self.path in seen.path and self.method in (None, seen.method)


class TestUpstream:
    """The registry. `origin` is its listener, `cdn` the second one; both keep what they received."""

    __test__ = False  # a name that pytest would take for a test

    def __init__(self, demand: Demand | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.demand: Demand = demand or Anonymous()
        self.origin = Origin(self._answer, tls)
        self.cdn = Origin(self._answer_cdn)
        self.further_cdns: list[Origin] = []
        self.repositories: defaultdict[str, Repository] = defaultdict(Repository)
        self.redirects_blobs = False
        self.signs_get_only = False
        self.answers_ranges = True
        self.has_referrers = True
        self.page_size: int | None = None
        self._rules: list[Rule] = []
        self._signatures: set[str] = set()
        self._redirects = itertools.count()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after `stop`, on the same ports again."""
        for origin in (self.origin, *self.cdns):
            await origin.start()

    async def stop(self) -> None:
        """Be down: refuse connections and break off those there are. What is held and counted stays."""
        for origin in (self.origin, *self.cdns):
            await origin.stop()

    @property
    def cdns(self) -> tuple[Origin, ...]:
        """Where blobs are redirected to, in turn."""
        return (self.cdn, *self.further_cdns)

    async def add_cdn(self) -> Origin:
        """One more place that blobs are redirected to, listening."""
        origin = Origin(self._answer_cdn)
        await origin.start()
        self.further_cdns.append(origin)
        return origin

    def expire_signatures(self) -> None:
        """From now on refuse every URL that was signed so far."""
        self._signatures.clear()

    @property
    def url(self) -> str:
        """For `proxy.remoteurl`."""
        return self.origin.url

    def add_blob(self, name: str, content: bytes) -> Digest:
        """Put a blob into a repository."""
        digest = Digest.of(content)
        self.repositories[name].blobs[digest] = content
        return digest

    def add_manifest(self, name: str, content: bytes, media_type: str = OCI_MANIFEST, *tags: str) -> Digest:
        """Put a manifest into a repository, whatever its bytes are, and point tags at it."""
        digest = Digest.of(content)
        self.repositories[name].manifests[digest] = (media_type, content)
        self.repositories[name].tags.update(dict.fromkeys(tags, digest))
        return digest

    def add_image(self, name: str, tag: str, image: SampleManifest) -> Digest:
        """Put an image or index with all that belongs to it into a repository, and point a tag at it."""
        repository = self.repositories[name]
        for blob in image.all_blobs():
            repository.blobs[blob.digest] = blob.content
        for manifest in image.in_push_order():
            repository.manifests[manifest.digest] = (manifest.media_type, manifest.content)
        repository.tags[tag] = image.digest
        return Digest.parse(image.digest)

    def misbehave(self, fault: Fault, *, path: str = "", method: str | None = None, times: int | None = None) -> Rule:
        """Let `fault` strike answers whose path contains `path`, on all origins; later rules worsen earlier ones."""
        rule = Rule(fault, path, method, times)
        self._rules.append(rule)
        return rule

    def behave(self) -> None:
        """Forget all faults."""
        self._rules.clear()

    def count(self, method: str | None = None, path: str = "") -> int:
        """How many requests of that method came to the first origin for a path that contains `path`."""
        return sum(method in (None, seen.method) and path in seen.path for seen in self.origin.requests)

    def bytes_sent(self, path: str = "") -> int:
        """How many body bytes all origins sent for paths that contain `path`."""
        sent = sum((origin.sent for origin in (self.origin, *self.cdns)), Counter[str]())
        return sum(count for where, count in sent.items() if path in where)

    def _held(self, name: str) -> Repository:
        return self.repositories.get(name) or Repository()

    def _answer(self, seen: Seen) -> Reply:
        reply = self.demand.token_answer(seen)
        if reply is None and seen.path.startswith("/v2/"):
            reply = self.demand.refusal(seen, self.url) or self._route(seen)
        return self._worsen(seen, reply or Reply(404, body=b"404 page not found\n"))

    def _answer_cdn(self, seen: Seen) -> Reply:
        if "authorization" in seen.headers:
            return Reply(400, body=b"<Error><Code>InvalidArgument</Code>Only one auth mechanism allowed</Error>")
        digest = seen.path.rpartition("/")[2]
        blobs = (repository.blobs.get(digest) for repository in self.repositories.values())
        content = next((blob for blob in blobs if blob is not None), None)
        signature = seen.query.get("signature", [""])[0]
        is_refused = signature not in self._signatures or (self.signs_get_only and seen.method != "GET")
        if content is None or is_refused:
            return self._worsen(seen, Reply(403, body=b"<Error><Code>AccessDenied</Code></Error>"))
        return self._worsen(seen, self._ranged(seen, Reply(200, (), content)))

    def _worsen(self, seen: Seen, reply: Reply) -> Reply:
        for rule in self._rules:
            if rule.fits(seen):
                rule.met += 1
                reply = rule.fault(reply)
        return reply

    def _route(self, seen: Seen) -> Reply:
        rest = seen.path.removeprefix("/v2/")
        if not rest:
            return Reply(200, (("Content-Type", "application/json"),), b"{}")
        if rest.endswith("/tags/list"):
            return self._tags(seen, rest.removesuffix("/tags/list"))
        name, kind, reference = [*rest.rsplit("/", 2), "", ""][:3]
        match kind:
            case "manifests":
                return self._manifest(name, reference)
            case "blobs":
                return self._blob(seen, name, reference)
            case "referrers" if self.has_referrers:
                return self._referrers(seen, name, reference)
        return Reply(404, body=b"404 page not found\n")

    def _manifest(self, name: str, reference: str) -> Reply:
        found = self._held(name).manifest(reference)
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        digest, media_type, content = found
        return Reply(200, (("Content-Type", media_type), ("Docker-Content-Digest", digest)), content)

    def _blob(self, seen: Seen, name: str, digest: str) -> Reply:
        content = self._held(name).blobs.get(digest)
        if content is None:
            return _error(404, "BLOB_UNKNOWN")
        if self.redirects_blobs:
            return Reply(307, (("Location", self._signed(digest)),))
        return self._ranged(seen, Reply(200, (("Docker-Content-Digest", digest),), content))

    def _signed(self, digest: str) -> str:
        number = next(self._redirects)
        signature = f"planted-{number}"
        self._signatures.add(signature)
        return f"{self.cdns[number % len(self.cdns)].url}{CDN_PATH}{digest}?signature={signature}"

    def _ranged(self, seen: Seen, reply: Reply) -> Reply:
        size = len(reply.body)
        headers = (*reply.headers, ("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes"))
        try:
            span = parse_range(seen.headers.get("range", ""), size) if self.answers_ranges else None
        except Unsatisfiable:
            return Reply(416, (*headers, ("Content-Range", f"bytes */{size}")))
        if span is None:
            return Reply(200, headers, reply.body)
        headers = (*headers, ("Content-Range", format_content_range(span, size)))
        return Reply(206, headers, reply.body[span.start : span.stop])

    def _tags(self, seen: Seen, name: str) -> Reply:
        if name not in self.repositories:
            return _error(404, "NAME_UNKNOWN")
        last, wanted = seen.query.get("last", [""])[0], seen.query.get("n", [""])[0]
        tags = sorted(tag for tag in self.repositories[name].tags if tag > last)
        size = min(int(wanted or len(tags)), self.page_size or len(tags))
        headers = [("Content-Type", "application/json")]
        if len(tags) > size > 0:
            headers.append(("Link", format_next(seen.path, {"n": wanted, "last": tags[size - 1]})))
        return Reply(200, tuple(headers), json.dumps({"name": name, "tags": tags[:size]}).encode())

    def _referrers(self, seen: Seen, name: str, subject: str) -> Reply:
        wanted = seen.query.get("artifactType", [None])[0]
        found = []
        for digest, (media_type, content) in self._held(name).manifests.items():
            try:
                parsed = parse(content, media_type)
            except ManifestInvalid:
                continue
            if parsed.subject is not None and parsed.subject.digest == subject:
                entry = {"mediaType": media_type, "digest": digest, "size": len(content)}
                found.append(entry | {"artifactType": parsed.artifact_type, "annotations": parsed.annotations})
        kept = [entry for entry in found if wanted in (None, entry["artifactType"])]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": kept}
        headers = (("Content-Type", OCI_INDEX), *((("OCI-Filters-Applied", "artifactType"),) if wanted else ()))
        return Reply(200, headers, json.dumps(index).encode())


def _error(status: int, code: str) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
    return Reply(status, (("Content-Type", "application/json"),), body)


class ThreadedUpstream:
    """A TestUpstream with an event loop in a thread of its own, for tests without one: `with … as upstream`."""

    def __init__(self, demand: Demand | None = None) -> None:
        self.upstream = TestUpstream(demand)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-upstream", daemon=True)

    def __enter__(self) -> TestUpstream:
        self._thread.start()
        self.start()
        return self.upstream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_LIMIT)
        self._loop.close()

    def start(self) -> None:
        """Listen; after `stop`, on the same ports again."""
        asyncio.run_coroutine_threadsafe(self.upstream.start(), self._loop).result(_START_LIMIT)

    def stop(self) -> None:
        """Be down until `start`."""
        asyncio.run_coroutine_threadsafe(self.upstream.stop(), self._loop).result(_START_LIMIT)
