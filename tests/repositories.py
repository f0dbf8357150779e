"""A repository as a plain HTTP client sees it: the distribution API's requests in short form, nothing interpreted."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from entrepot.testing.images import SampleBlob, SampleManifest, digest_of

Body = bytes | Iterable[bytes]


class Repository:
    """Requests to one repository; paths are relative to `/v2/<name>/`."""

    def __init__(self, client: httpx.Client, name: str | None = None, *, base: str = "/v2/") -> None:
        self.client = client
        self.name = name if name is not None else fresh_name()
        self.base = base

    def sibling(self, name: str | None = None) -> "Repository":
        """Another repository of the same registry."""
        return Repository(self.client, name, base=self.base)

    def url(self, path: str) -> str:
        return f"{self.base}{self.name}/{path}"

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(self.url(path), **options)

    def head(self, path: str, **options: Any) -> httpx.Response:
        return self.client.head(self.url(path), **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.client.post(self.url(path), **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.client.delete(self.url(path), **options)

    def put_manifest(
        self, reference: str, manifest: SampleManifest, *, tags: Sequence[str] = (), **options: Any
    ) -> httpx.Response:
        """PUT the manifest alone; what it names must be there already."""
        return self.put_bytes(reference, manifest.content, manifest.media_type, params={"tag": tags}, **options)

    def put_bytes(self, reference: str, content: Body, media_type: str | None, **options: Any) -> httpx.Response:
        """PUT anything at all as a manifest."""
        headers = dict(options.pop("headers", {}))
        if media_type is not None:
            headers["Content-Type"] = media_type
        return self.client.put(self.url(f"manifests/{reference}"), content=content, headers=headers, **options)

    def push_blob(self, blob: SampleBlob | bytes) -> str:
        """Upload by POST and PUT; return the digest."""
        made = blob if isinstance(blob, SampleBlob) else SampleBlob(blob)
        answer = self.begin().finish(made.digest, made.content)
        assert answer.status_code == 201, answer.text
        return made.digest

    def push(self, manifest: SampleManifest, *tags: str) -> str:
        """Upload all its blobs, then its children, then itself, and set the tags; return its digest."""
        for blob in manifest.all_blobs():
            self.push_blob(blob)
        for one in manifest.in_push_order():
            answer = self.put_manifest(one.digest, one)
            assert answer.status_code == 201, answer.text
        for tag in tags:
            answer = self.put_manifest(tag, manifest)
            assert answer.status_code == 201, answer.text
        return manifest.digest

    def push_blobs(self, manifest: SampleManifest) -> None:
        """Upload its blobs only, and those of its children."""
        for blob in manifest.all_blobs():
            self.push_blob(blob)

    def begin(self, **parameters: str) -> "Upload":
        """Open an upload session."""
        answer = self.post("blobs/uploads/", params=parameters)
        assert answer.status_code == 202, answer.text
        return Upload(self.client, answer)

    def tags(self, **parameters: Any) -> list[str]:
        """The tags of one page."""
        answer = self.get("tags/list", params=parameters)
        assert answer.status_code == 200, answer.text
        found: list[str] = answer.json()["tags"]
        return found

    def referrers(self, subject: str, **parameters: str) -> list[dict[str, Any]]:
        """The descriptors of one page."""
        answer = self.get(f"referrers/{subject}", params=parameters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["manifests"]
        return found


class Upload:
    """An upload session, which follows the Location of every answer that gives one."""

    def __init__(self, client: httpx.Client, answer: httpx.Response) -> None:
        self._client = client
        self.answer = answer
        self.identity = str(answer.headers["Docker-Upload-UUID"])
        self.location = str(answer.request.url.join(answer.headers["Location"]))

    def moved_to(self, client: httpx.Client) -> "Upload":
        """The same session as another server sees it, at the same path."""
        moved = Upload(client, self.answer)
        moved.location = httpx.URL(self.location).raw_path.decode()
        return moved

    def append(self, content: Body, content_range: str | None = None, **headers: str) -> httpx.Response:
        """PATCH; `content_range` is the header's text."""
        answer = self._client.patch(self.location, content=content, headers=_headers(content_range, headers))
        self._follow(answer)
        return answer

    def append_at(self, start: int, content: bytes) -> httpx.Response:
        """PATCH bytes that belong at `start`."""
        return self.append(content, f"{start}-{start + len(content) - 1}")

    def finish(
        self, digest: str | None, content: Body = b"", content_range: str | None = None, **headers: str
    ) -> httpx.Response:
        """PUT the last bytes with the digest of the whole; without digest where that is None."""
        target = self.location if digest is None else with_query(self.location, digest=digest)
        return self._client.put(target, content=content, headers=_headers(content_range, headers))

    def status(self) -> httpx.Response:
        answer = self._client.get(self.location)
        self._follow(answer)
        return answer

    def cancel(self) -> httpx.Response:
        return self._client.delete(self.location)

    def _follow(self, answer: httpx.Response) -> None:
        if answer.is_success and "Location" in answer.headers:
            self.location = str(answer.request.url.join(answer.headers["Location"]))


def fresh_name() -> str:
    """A repository name that nobody has used before."""
    return f"t/{secrets.token_hex(8)}"


def with_query(url: str, **parameters: str) -> str:
    """The URL with parameters added to those it has."""
    return str(httpx.URL(url).copy_merge_params(parameters))


def without_query(url: str, parameter: str) -> str:
    """The URL with one parameter taken away."""
    return str(httpx.URL(url).copy_remove_param(parameter))


def error_codes(answer: httpx.Response) -> list[str]:
    """The codes of an error body, which must be well-formed."""
    assert answer.headers["Content-Type"].split(";")[0] == "application/json", answer.headers
    body = json.loads(answer.content)
    assert set(body) == {"errors"}
    for error in body["errors"]:
        assert set(error) <= {"code", "message", "detail"}
        assert isinstance(error["message"], str)
    return [error["code"] for error in body["errors"]]


def next_page(answer: httpx.Response) -> str | None:
    """The target of `Link: …; rel="next"`, as the server wrote it."""
    link = answer.headers.get("Link")
    if link is None:
        return None
    target, _, relation = link.partition(">; ")
    assert target.startswith("<")
    assert relation == 'rel="next"'
    return str(target[1:])


def _headers(content_range: str | None, others: Mapping[str, str]) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    if content_range is not None:
        headers["Content-Range"] = content_range
    return headers | {name.replace("_", "-"): value for name, value in others.items()}


def same_digest(content: bytes, digest: str) -> bool:
    """Tell whether the bytes hash to the digest, whatever its algorithm."""
    return digest_of(content, digest.partition(":")[0]) == digest
