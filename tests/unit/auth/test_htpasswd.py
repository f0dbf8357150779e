"""Names and passwords in a file: who gets in, and what becomes of a file that changes."""

import asyncio
import base64
import os
import stat
from pathlib import Path

import bcrypt
import pytest

from entrepot.auth.base import Access, Presented
from entrepot.auth.htpasswd import Htpasswd, HtpasswdInvalid, parse_basic, provision, read
from entrepot.oci.errors import TooManyRequests, Unauthorized

PULL = [Access("repository", "app", "pull")]
COST = 4
"""The least there is: the tests are not about time."""


def hashed(password: bytes, prefix: str = "2b") -> str:
    return bcrypt.hashpw(password[:72], bcrypt.gensalt(COST)).decode().replace("$2b$", f"${prefix}$", 1)


def basic(name: str, password: str | bytes, client: str = "10.0.0.1") -> Presented:
    secret = password.encode() if isinstance(password, str) else password
    encoded = base64.b64encode(name.encode() + b":" + secret).decode()
    return Presented(f"Basic {encoded}", client=client)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one user."""
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{hashed(b'secret')}\n")
    return path


@pytest.fixture
def htpasswd(path: Path) -> Htpasswd:
    """That reads it."""
    return Htpasswd('a "realm"', str(path))


def replace(path: Path, text: str) -> None:
    """As an editor does: another file in its place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


async def refused(htpasswd: Htpasswd, presented: Presented) -> Unauthorized:
    with pytest.raises(Unauthorized) as raised:
        await htpasswd.authorize(presented, PULL)
    return raised.value


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
async def test_who_knows_the_password_may_do_everything(path: Path, prefix: str) -> None:
    """Whatever program has hashed it with bcrypt."""
    path.write_text(f"# comment\n\n  alice:{hashed(b'secret', prefix)}  \n")
    htpasswd = Htpasswd("realm", str(path))

    assert htpasswd.known(basic("alice", "secret")) is None
    grant = await htpasswd.authorize(basic("alice", "secret"), PULL)

    assert grant.user == "alice"
    assert grant.allows(Access("registry", "catalog", "*"))
    assert htpasswd.known(basic("alice", "secret")) == grant


@pytest.mark.parametrize(
    "presented",
    [
        Presented(None),
        Presented(""),
        Presented("Bearer abc"),
        Presented("Basic"),
        Presented("Basic ***"),
        Presented("Basic " + base64.b64encode(b"no colon").decode()),
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("Alice", "secret"),
        basic("bob", "secret"),
        basic("", ""),
        basic("bob", b"\xff\x00"),
    ],
)
async def test_nobody_else_gets_in(htpasswd: Htpasswd, presented: Presented) -> None:
    """And is told how to."""
    error = await refused(htpasswd, presented)

    assert error.headers == (("www-authenticate", 'Basic realm="a \\"realm\\""'),)
    assert error.detail == [{"Type": "repository", "Class": "", "Name": "app", "Action": "pull"}]
    assert htpasswd.known(presented) is None


@pytest.mark.parametrize("password", ["x" * 100, "with:colon", "mit Umläuten", "\x00zero", " "])
async def test_a_password_may_be_anything(path: Path, password: str) -> None:
    """Of a long one bcrypt has never looked at more than 72 bytes."""
    path.write_text(f"alice:{hashed(password.encode())}\n")

    assert (await Htpasswd("realm", str(path)).authorize(basic("alice", password), [])).user == "alice"


@pytest.mark.parametrize(
    "useless",
    ["secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "$apr1$x$y", "$2b$04$short", "$2b$99$" + "a" * 53, ""],
)
async def test_another_kind_of_hash_matches_nothing(path: Path, useless: str) -> None:
    """Not even itself; the last line of a name counts."""
    path.write_text(f"alice:{hashed(b'secret')}\nalice:{useless}\nbob:{hashed(b'other')}\n")
    htpasswd = Htpasswd("realm", str(path))

    for password in ("secret", useless):
        await refused(htpasswd, basic("alice", password))
    assert (await htpasswd.authorize(basic("bob", "other"), [])).user == "bob"


async def test_a_change_counts_with_the_next_request(htpasswd: Htpasswd, path: Path) -> None:
    """Also for who was let in a moment ago."""
    await htpasswd.authorize(basic("alice", "secret"), PULL)
    replace(path, f"alice:{hashed(b'new')}\nbob:{hashed(b'his')}\n")

    assert htpasswd.known(basic("alice", "secret")) is None
    await refused(htpasswd, basic("alice", "secret"))
    assert (await htpasswd.authorize(basic("alice", "new"), PULL)).user == "alice"
    assert (await htpasswd.authorize(basic("bob", "his"), PULL)).user == "bob"


@pytest.mark.parametrize("broken", ["no colon", None])
async def test_a_file_that_is_no_good_does_not_take_the_place_of_a_good_one(
    htpasswd: Htpasswd, path: Path, broken: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """That is said, without what is in it."""
    if broken is None:
        path.unlink()
    else:
        replace(path, broken)

    assert (await htpasswd.authorize(basic("alice", "secret"), PULL)).user == "alice"

    output = "".join(capfd.readouterr())
    assert "htpasswd_not_read" in output
    assert "no colon" not in output.replace("has no colon", "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"alice:x\nplanted-secret\n", "line 2 has no colon"), (b"x" * (16 * 1024 * 1024 + 1), "is larger than")],
)
def test_a_file_that_is_no_good_stops_the_start(path: Path, content: bytes, reason: str) -> None:
    """In words that do not show what is in it."""
    path.write_bytes(content)

    with pytest.raises(HtpasswdInvalid, match=reason) as raised:
        Htpasswd("realm", str(path))
    assert "planted" not in str(raised.value)


def test_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    """It is made by who starts the registry, not by who asks it."""
    with pytest.raises(HtpasswdInvalid, match="cannot be read: No such file"):
        read(str(tmp_path / "nothing"))


async def test_a_missing_file_is_made_once(tmp_path: Path) -> None:
    """With one user, whose password only its maker knows."""
    path = tmp_path / "auth" / "htpasswd"

    made = provision(str(path))

    assert made is not None
    name, password = made
    assert name == "docker"
    assert len(password) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert password not in path.read_text()
    assert (await Htpasswd("realm", str(path)).authorize(basic(name, password), [])).user == "docker"
    assert provision(str(path)) is None


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """By its path's trouble."""
    (tmp_path / "file").touch()
    with pytest.raises(HtpasswdInvalid, match="cannot be made"):
        provision(str(tmp_path / "file" / "htpasswd"))


async def test_who_fails_too_often_is_not_looked_at_for_a_while(htpasswd: Htpasswd) -> None:
    """Under that name, from that address: others are not kept out by it."""
    for _ in range(10):
        await refused(htpasswd, basic("alice", "wrong"))

    for password in ("wrong", "secret"):
        with pytest.raises(TooManyRequests) as raised:
            await htpasswd.authorize(basic("alice", password), PULL)
        [(name, seconds)] = raised.value.headers
        assert name == "retry-after"
        assert 0 < int(seconds) <= 60
    assert (await htpasswd.authorize(basic("alice", "secret", "10.0.0.2"), PULL)).user == "alice"
    await refused(htpasswd, basic("bob", "wrong"))


async def test_many_requests_with_the_same_password_are_verified_once(htpasswd: Htpasswd) -> None:
    """As a client sends them right after it has logged in."""
    grants = await asyncio.gather(*(htpasswd.authorize(basic("alice", "secret"), PULL) for _ in range(50)))
    assert {grant.user for grant in grants} == {"alice"}


async def test_the_password_is_not_kept(htpasswd: Htpasswd) -> None:
    """What is remembered is good for recognising it, not for finding it."""
    presented = basic("alice", "secret")
    await htpasswd.authorize(presented, PULL)
    kept = repr(vars(htpasswd)) + repr(vars(htpasswd._remembered))
    assert presented.authorization is not None
    assert "secret" not in kept
    assert presented.authorization.split()[1] not in kept


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YTpi", (b"a", b"b")),
        ("basic  YTpi ", (b"a", b"b")),
        ("BASIC YTpi", (b"a", b"b")),
        ("Basic YTpiOmM=", (b"a", b"b:c")),
        ("Basic Ojo=", (b"", b":")),
        ("Basic YTpi!", None),
        ("Basic YTp", None),
        ("BasicYTpi", None),
        ("Digest YTpi", None),
        ("Basic ä", None),
        (None, None),
    ],
)
def test_a_basic_authorization(header: str | None, expected: tuple[bytes, bytes] | None) -> None:
    """RFC 7617, and nothing that only looks like it."""
    assert parse_basic(header) == expected


def test_an_unreadable_file_is_told(path: Path) -> None:
    """A directory in its place."""
    path.unlink()
    os.mkdir(path)
    with pytest.raises(HtpasswdInvalid, match="cannot be read: Is a directory"):
        read(str(path))
