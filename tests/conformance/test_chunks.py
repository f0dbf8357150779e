"""Chunks out of order are refused with 416, change nothing, and the upload goes on where the status says."""

import httpx
import pytest

from entrepot.testing.images import SampleBlob, random_blob
from tests.conformance.styles import begin_declared, chunks, content_range, send_chunk
from tests.repositories import Repository, Upload


@pytest.fixture
def blob(algorithm: str) -> SampleBlob:
    """Three chunks of bytes."""
    return random_blob(3 * 1024 - 5, algorithm=algorithm)


def refuse(upload: Upload, answer: httpx.Response, stop: int) -> None:
    """The answer is 416 with what is stored, and so is the status afterwards, from which the upload goes on."""
    assert answer.status_code == 416
    if stop:
        assert answer.headers["Range"] == f"0-{stop - 1}"
    status = upload.status()
    assert status.status_code == 204
    assert status.headers["Range"] == f"0-{max(0, stop - 1)}"
    assert "Location" in status.headers


def test_chunk_out_of_order_is_refused_by_patch(repository: Repository, blob: SampleBlob) -> None:
    """Before every right chunk a wrong one is sent: ahead of its turn, or the first one again."""
    upload = begin_declared(repository, blob)
    spans = chunks(upload, blob)

    for position, (start, stop) in enumerate(spans):
        wrong = spans[(position + 1) % len(spans)]
        answer = upload.append(blob.content[slice(*wrong)], content_range(*wrong))
        refuse(upload, answer, start)
        send_chunk(upload, blob.content, start, stop)

    assert upload.finish(blob.digest).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_chunk_out_of_order_is_refused_by_put(repository: Repository, blob: SampleBlob) -> None:
    """The closing PUT refuses a last chunk whose turn it is not, and closes with the right one."""
    upload = begin_declared(repository, blob)
    *first, last = chunks(upload, blob)

    refuse(upload, upload.finish(blob.digest, blob.content[slice(*last)], content_range(*last)), 0)
    for start, stop in first:
        send_chunk(upload, blob.content, start, stop)
    again = first[-1]
    refuse(upload, upload.finish(blob.digest, blob.content[slice(*again)], content_range(*again)), last[0])
    answer = upload.finish(blob.digest, blob.content[slice(*last)], content_range(*last))

    assert answer.status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_status_is_asked_at_the_refused_location(repository: Repository, blob: SampleBlob) -> None:
    """GET at the very URL of a refused PUT, digest and all, answers the status."""
    upload = begin_declared(repository, blob)
    spans = chunks(upload, blob)
    send_chunk(upload, blob.content, *spans[0])
    refused = upload.finish(blob.digest, blob.content[slice(*spans[2])], content_range(*spans[2]))

    status = repository.client.get(refused.request.url)

    assert status.status_code == 204
    assert status.headers["Range"] == f"0-{spans[0][1] - 1}"
