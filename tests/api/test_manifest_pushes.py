"""Pushing manifests: by tag and by digest, types with and without parameters, tags given as parameters, subjects."""

import pytest

from entrepot.oci.descriptor import OCI_INDEX, OCI_MANIFEST
from entrepot.testing.images import (
    DOCKER,
    SampleManifest,
    artifact,
    digest_of,
    image,
    image_of_size,
    index,
    nested_index,
)
from tests.api.checks import check_refusal
from tests.repositories import Repository


def oci_tags(answer_lines: list[str]) -> list[str]:
    """The tags of all OCI-Tag lines."""
    return [tag.strip() for line in answer_lines for tag in line.split(",")]


def test_by_tag_then_by_digest(repository: Repository) -> None:
    """Both ways give the same digest and the same Location, which is by digest and can be pulled from."""
    made = image()
    repository.push_blobs(made)

    by_tag = repository.put_manifest("latest", made)
    by_digest = repository.put_manifest(made.digest, made)

    for answer in (by_tag, by_digest):
        assert answer.status_code == 201
        assert answer.headers["Docker-Content-Digest"] == made.digest
        assert answer.headers["Location"].endswith(f"/v2/{repository.name}/manifests/{made.digest}")
        assert answer.headers["Content-Length"] == "0"
        assert repository.client.get(answer.headers["Location"]).content == made.content


def test_by_digest_sets_no_tag(repository: Repository) -> None:
    """A push by digest alone makes no tag."""
    repository.push(image())

    assert repository.tags() == []


@pytest.mark.parametrize("parameters", ["", ";charset=utf-8", "; charset=utf-8", ' ; a="b;c"'])
def test_parameters_of_the_type_are_ignored(repository: Repository, parameters: str) -> None:
    """The type is what comes before the first semicolon, and is served without parameters."""
    made = image()
    repository.push_blobs(made)

    answer = repository.put_bytes("latest", made.content, made.media_type + parameters)

    assert answer.status_code == 201
    assert repository.get("manifests/latest").headers["Content-Type"] == made.media_type


@pytest.mark.parametrize("form", ["image", "index", "docker", "untyped image", "untyped index"])
def test_type_is_found_in_the_body(repository: Repository, form: str) -> None:
    """Without a Content-Type the body's mediaType counts, and without one its members tell image from index."""
    made = {
        "image": image(),
        "index": index(),
        "docker": image(form=DOCKER),
        "untyped image": image().with_members(mediaType=None),
        "untyped index": index().with_members(mediaType=None),
    }[form]
    repository.push_blobs(made)
    for child in made.children:
        repository.push(child)

    answer = repository.put_bytes("latest", made.content, None)

    assert answer.status_code == 201, answer.text
    expected = made.members.get("mediaType", OCI_INDEX if "index" in form else OCI_MANIFEST)
    assert repository.get("manifests/latest").headers["Content-Type"] == expected
    assert repository.get("manifests/latest").content == made.content


def test_unknown_type_is_kept_verbatim(repository: Repository) -> None:
    """A manifest of a type that nobody knows is stored and served, byte for byte, if its body names the same type."""
    media_type = "application/vnd.example.strange+json"
    content = b'\n {"mediaType" : "application/vnd.example.strange+json",\t"x": [1, 2.50, "\\u00fc"] }\n\n'
    made = SampleManifest(content, media_type)

    assert repository.put_manifest("latest", made).status_code == 201

    answer = repository.get("manifests/latest")
    assert answer.content == content
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Docker-Content-Digest"] == digest_of(content)


def test_bytes_are_kept_verbatim(repository: Repository) -> None:
    """White space, escapes and the order of members stay as they were sent."""
    bare = image()
    content = b" \r\n" + bare.content.replace(b",", b" ,\t\n ").replace(b"vnd", b"\\u0076nd") + b"\n "
    repository.push_blobs(bare)

    assert repository.put_bytes("latest", content, bare.media_type).status_code == 201
    assert repository.get("manifests/latest").content == content


def test_nothing_referred_to(repository: Repository) -> None:
    """An image without layers and an index without manifests are complete."""
    repository.push(image(0), "image")
    repository.push(index([]), "index")

    assert repository.tags() == ["image", "index"]


def test_same_layer_twice(repository: Repository) -> None:
    """A manifest may name one blob more than once."""
    once = image(1)
    config, one = once.blobs
    twice = once.with_members(layers=[one.descriptor(), one.descriptor(), config.descriptor()])

    repository.push(twice, "latest")

    assert repository.get("manifests/latest").content == twice.content


def test_nested_deep(repository: Repository) -> None:
    """F-036: an index may hold an index, many times over, if each is there before what names it."""
    made = nested_index(100)
    repository.push(made, "latest")

    assert repository.get("manifests/latest").content == made.content
    assert repository.delete(f"manifests/{made.digest}").status_code == 202


@pytest.mark.parametrize("size", [4 * 1024 * 1024, 4 * 1024 * 1024 - 1])
@pytest.mark.parametrize("streamed", [False, True], ids=["length", "chunked"])
def test_four_mebibytes_are_taken(repository: Repository, size: int, streamed: bool) -> None:
    """R1: a manifest of 4 MiB to the byte is taken, with and without a Content-Length."""
    made = image_of_size(size)
    repository.push_blobs(made)
    body = iter([made.content]) if streamed else made.content

    answer = repository.put_bytes(made.digest, body, made.media_type)

    assert answer.status_code == 201, answer.text
    assert repository.get(f"manifests/{made.digest}").content == made.content


def test_tag_moves(repository: Repository) -> None:
    """A tag names what was pushed last; what it named before stays by its digest."""
    first, second = image(), image()
    repository.push(first, "latest")
    repository.push(second, "latest")

    assert repository.get("manifests/latest").content == second.content
    assert repository.get(f"manifests/{first.digest}").content == first.content
    repository.push(first, "latest")
    assert repository.get("manifests/latest").content == first.content
    assert repository.tags() == ["latest"]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_tag_parameters(repository: Repository, algorithm: str) -> None:
    """Each `tag` of a push by digest is set, also one that named something else (R13), and is told in OCI-Tag."""
    before, made = image(), image(algorithm=algorithm)
    repository.push(before, "moved", "kept")
    repository.push_blobs(made)
    tags = ["new", "moved", "1.2.3", "A_b"]

    answer = repository.put_manifest(made.digest, made, tags=tags)

    assert answer.status_code == 201
    assert sorted(oci_tags(answer.headers.get_list("OCI-Tag"))) == sorted(tags)
    assert repository.tags() == sorted([*tags, "kept"])
    for tag in tags:
        assert repository.get(f"manifests/{tag}").content == made.content
        assert repository.head(f"manifests/{tag}").headers["Docker-Content-Digest"] == made.digest
    assert repository.get("manifests/kept").content == before.content


def test_a_hundred_tags(repository: Repository) -> None:
    """Far more than the ten tags that the specification asks for are taken in one push."""
    made = image(0)
    repository.push_blobs(made)
    tags = [f"t{number:03}" for number in range(100)]

    answer = repository.put_manifest(made.digest, made, tags=tags)

    assert answer.status_code == 201
    assert sorted(oci_tags(answer.headers.get_list("OCI-Tag"))) == tags
    assert repository.tags() == tags


@pytest.mark.parametrize("number", [101, 1000, 5000])
def test_too_many_tags(repository: Repository, number: int) -> None:
    """More are refused with 414, or by the limits on a request's head, and none is set."""
    made = image(0)
    repository.push(made, "before")

    answer = repository.put_manifest(made.digest, made, tags=[f"t{number}" for number in range(number)])

    assert answer.status_code in (414, 431)
    assert repository.tags() == ["before"]


@pytest.mark.parametrize("bad", ["", ".x", "a b", "a" * 129, "x/y", "a:b"])
def test_bad_tag_parameter(repository: Repository, bad: str) -> None:
    """One tag that can be none refuses the push, and the good ones beside it are not set."""
    made = image(0)
    repository.push_blobs(made)

    check_refusal(repository.put_manifest(made.digest, made, tags=["good", bad]), 400, "TAG_INVALID")

    assert repository.get("tags/list").status_code == 404
    assert repository.head(f"manifests/{made.digest}").status_code == 404


def test_tag_twice(repository: Repository) -> None:
    """The same tag given twice is set once."""
    made = image(0)
    repository.push_blobs(made)

    assert repository.put_manifest(made.digest, made, tags=["a", "a"]).status_code == 201
    assert repository.tags() == ["a"]


@pytest.mark.parametrize("present", [True, False], ids=["present", "missing"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_subject_is_confirmed(repository: Repository, algorithm: str, present: bool) -> None:
    """A manifest with a subject is taken whether or not that is there, and OCI-Subject confirms it."""
    subject = image(algorithm=algorithm)
    if present:
        repository.push(subject)
    made = artifact("application/vnd.example.signature", subject=subject)
    repository.push_blobs(made)

    for reference in (made.digest, "latest"):
        answer = repository.put_manifest(reference, made)
        assert answer.status_code == 201
        assert answer.headers["OCI-Subject"] == subject.digest


def test_no_subject_no_header(repository: Repository) -> None:
    """Without a subject there is nothing to confirm."""
    made = image(0)
    repository.push_blobs(made)

    assert "OCI-Subject" not in repository.put_manifest("latest", made).headers


def test_push_again(repository: Repository) -> None:
    """Pushing what is there already is no error and changes nothing."""
    made = image()
    for _ in range(3):
        repository.push(made, "latest")

    assert repository.get("manifests/latest").content == made.content
    assert repository.tags() == ["latest"]
