"""Every way of sending a blob that the specification knows; each ends with the answer that should create the blob."""

from collections.abc import Callable, Iterator, Mapping

import httpx

from entrepot.testing.images import SampleBlob
from tests.repositories import Repository, Upload

Style = Callable[[Repository, SampleBlob, str], httpx.Response]


def post_only(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """One POST with the digest and the bytes."""
    headers = {"Content-Type": "application/octet-stream"}
    return repository.post("blobs/uploads/", params={"digest": digest}, content=blob.content, headers=headers)


def post_and_put(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """POST for a session, then one PUT."""
    return repository.begin().finish(digest, blob.content)


def declared_and_put(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """POST that announces the digest's algorithm, then one PUT."""
    return begin_declared(repository, blob).finish(digest, blob.content)


def single_chunk(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """One PATCH of all bytes, then a PUT without any."""
    upload = begin_declared(repository, blob)
    send_chunk(upload, blob.content, 0, len(blob.content))
    return upload.finish(digest)


def several_chunks(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """Three PATCHes in order, then a PUT without any bytes."""
    upload = begin_declared(repository, blob)
    for start, stop in chunks(upload, blob):
        send_chunk(upload, blob.content, start, stop)
    return upload.finish(digest)


def last_chunk_in_put(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """All chunks but the last by PATCH, the last one by the closing PUT."""
    upload = begin_declared(repository, blob)
    *first, (start, stop) = chunks(upload, blob)
    for begin, end in first:
        send_chunk(upload, blob.content, begin, end)
    return upload.finish(digest, blob.content[start:stop], content_range(start, stop))


def streamed(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """One PATCH in chunked transfer coding, without any range, then a PUT without any bytes."""
    upload = repository.begin()
    assert upload.append(pieces(blob.content)).status_code == 202
    return upload.finish(digest)


def streamed_put(repository: Repository, blob: SampleBlob, digest: str) -> httpx.Response:
    """POST for a session, then one PUT in chunked transfer coding."""
    return repository.begin().finish(digest, pieces(blob.content))


STYLES: Mapping[str, Style] = {
    "post-only": post_only,
    "post-and-put": post_and_put,
    "declared-and-put": declared_and_put,
    "single-chunk": single_chunk,
    "several-chunks": several_chunks,
    "last-chunk-in-put": last_chunk_in_put,
    "streamed": streamed,
    "streamed-put": streamed_put,
}


def begin_declared(repository: Repository, blob: SampleBlob) -> Upload:
    """Open a session that says which algorithm the digest will have."""
    return repository.begin(**{"digest-algorithm": blob.algorithm})


def chunks(upload: Upload, blob: SampleBlob) -> list[tuple[int, int]]:
    """Three spans of the blob, or fewer where the registry asks for larger chunks; one empty span for no bytes."""
    least = int(upload.answer.headers.get("OCI-Chunk-Min-Length", "1"))
    size = max(len(blob.content) // 3 + 1, least)
    starts = range(0, len(blob.content), size)
    return [(start, min(start + size, len(blob.content))) for start in starts] or [(0, 0)]


def send_chunk(upload: Upload, content: bytes, start: int, stop: int) -> None:
    """PATCH one span, which must be taken and counted."""
    answer = upload.append(content[start:stop], content_range(start, stop))
    assert answer.status_code == 202, answer.text
    assert answer.headers["Range"] == f"0-{max(0, stop - 1)}"


def content_range(start: int, stop: int) -> str | None:
    """The header for a span; an empty one has none, since its last byte would be before its first."""
    return f"{start}-{stop - 1}" if stop > start else None


def pieces(content: bytes) -> Iterator[bytes]:
    """The bytes in pieces of odd sizes."""
    for start in range(0, len(content), 333):
        yield content[start : start + 333]
