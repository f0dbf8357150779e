"""Names and bcrypt hashes in a file: who is in it may do everything, whoever else may do nothing and learns nothing."""

import asyncio
import base64
import gc
import os
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from entrepot.auth import htpasswd, throttle
from entrepot.auth.base import Access, Grant, Presented
from entrepot.auth.htpasswd import Htpasswd, HtpasswdInvalid, parse_basic, provision, read
from entrepot.oci.errors import TooManyRequests, Unauthorized
from tests.unit.auth.clocks import Clock

WANTED = [Access("repository", "team/app", "push")]
CLIENT = "192.0.2.1"


def hash_of(password: str | bytes, kind: str = "2b", cost: int = 4) -> str:
    """A cheap hash, with the letter that this or that program writes."""
    given = password if isinstance(password, bytes) else password.encode()
    return bcrypt.hashpw(given[:72], bcrypt.gensalt(cost)).decode().replace("$2b$", f"${kind}$", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one entry."""
    made = tmp_path / "htpasswd"
    made.write_text(f"name:{hash_of('right')}\n")
    return made


def presented(name: str | bytes, password: str | bytes, client: str = CLIENT) -> Presented:
    """What a client sends."""
    pair = [one if isinstance(one, bytes) else one.encode() for one in (name, password)]
    return Presented("Basic " + base64.b64encode(b":".join(pair)).decode(), client=client)


async def lets_in(judge: Htpasswd, name: str | bytes, password: str | bytes, client: str = CLIENT) -> bool:
    """Whether the two are right; where they are, everything is granted."""
    try:
        grant = await judge.authorize(presented(name, password, client), WANTED)
    except Unauthorized:
        return False
    assert grant.resources is None
    return True


def replace(path: Path, content: str) -> None:
    """Put another file in its place, as editors and orchestrators do."""
    other = path.with_name("other")
    other.write_text(content)
    other.replace(path)


@pytest.mark.parametrize("kind", ["2a", "2b", "2y"])
async def test_each_letter_of_bcrypt_is_taken(path: Path, kind: str) -> None:
    """Apache writes 2y, Python 2b, Go 2a."""
    path.write_text(f"name:{hash_of('right', kind)}\n")
    judge = Htpasswd("r", str(path))

    assert await lets_in(judge, "name", "right")
    assert not await lets_in(judge, "name", "wrong")
    assert (await judge.authorize(presented("name", "right"), WANTED)).user == "name"


@pytest.mark.parametrize(
    "hashed",
    [
        "right",
        "{SHA}CPGI6ExpVHYXBIrG/qyFNeJnUP8=",
        "$apr1$aXwqjnYf$3RYV3VJDJ2vwzVxzzqZhC0",
        "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.",
        "$2b$04$tooshort",
        "$2b$03$" + "a" * 53,
        "$2b$32$" + "a" * 53,
        "$2z$04$" + "a" * 53,
        "",
        "*",
        "\x00",
    ],
)
async def test_what_is_no_bcrypt_hash_matches_nothing(path: Path, hashed: str) -> None:
    """Neither what it was made of nor itself; the other entries are as good as before."""
    path.write_text(f"odd:{hashed}\nname:{hash_of('right')}\n")
    judge = Htpasswd("r", str(path))

    for password in ("right", hashed, ""):
        assert not await lets_in(judge, "odd", password)
    assert await lets_in(judge, "name", "right")


async def test_a_later_entry_that_is_useless_takes_the_name(path: Path) -> None:
    """The last one counts, whatever it is."""
    path.write_text(f"name:{hash_of('right')}\nname:!\n")

    assert not await lets_in(Htpasswd("r", str(path)), "name", "right")


@pytest.mark.parametrize("name", ["", "Name", "name ", "nam", "n\x00me", b"\xff\xfe", "x" * 5000, "#comment", "*"])
async def test_who_is_not_in_the_file_does_not_come_in(path: Path, name: str | bytes) -> None:
    """Whatever the name is, and not with another's password either."""
    judge = Htpasswd("r", str(path))

    for password in ("right", "", "wrong"):
        assert not await lets_in(judge, name, password)


def test_who_is_not_in_the_file_costs_as_much(path: Path) -> None:
    """The hash that stands for the missing is as costly as the costliest that is there (R8)."""
    path.write_text(f"a:{hash_of('x')}\nb:{hash_of('x', cost=6)}\n")

    assert read(str(path)).absent[:7] == b"$2b$06$"


async def test_an_empty_file_lets_nobody_in(path: Path) -> None:
    """But is no mistake."""
    path.write_text("\n")

    assert not await lets_in(Htpasswd("r", str(path)), "", "")


async def test_comments_blanks_and_duplicates(path: Path) -> None:
    """Are skipped, trimmed, and decided by the last."""
    text = f"# c:{hash_of('c')}\r\n\r\n  #d:{hash_of('d')}\n\t name:{hash_of('old')}  \r\n \n"
    path.write_text(f"{text}name:{hash_of('new')}\nname2:{hash_of('two')}")
    judge = Htpasswd("r", str(path))

    assert await lets_in(judge, "name", "new")
    assert await lets_in(judge, "name2", "two")
    for name, password in (("name", "old"), ("# c", "c"), ("#d", "d"), ("d", "d")):
        assert not await lets_in(judge, name, password)


@pytest.mark.parametrize("lines", [["planted"], ["# planted", "", "a:b", "planted $2b$04$x"]])
def test_a_line_without_a_colon_stops_the_start(path: Path, lines: list[str]) -> None:
    """It is told by its number; what is in it may be a password."""
    path.write_text("\n".join(lines))

    with pytest.raises(HtpasswdInvalid, match=f"line {len(lines)} ") as invalid:
        Htpasswd("r", str(path))
    assert "planted" not in str(invalid.value)


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """A directory, or nothing."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(HtpasswdInvalid, match="cannot be read"):
            Htpasswd("r", str(path))


def test_an_endless_file_stops_the_start() -> None:
    """Before it fills the memory."""
    with pytest.raises(HtpasswdInvalid, match="larger than"):
        Htpasswd("r", "/dev/zero")


async def test_a_replaced_file_counts_at_once(path: Path) -> None:
    """The new password is taken and the old one refused, also where it was remembered."""
    judge = Htpasswd("r", str(path))
    assert await lets_in(judge, "name", "right")
    assert judge.known(presented("name", "right")) is not None

    replace(path, f"name:{hash_of('changed')}\n")

    assert judge.known(presented("name", "right")) is None
    assert await lets_in(judge, "name", "changed")
    assert not await lets_in(judge, "name", "right")


async def test_a_file_written_over_with_its_old_time_counts_at_once(path: Path) -> None:
    """As `cp -p` and `rsync --inplace` write it: of the same size, in the same place, from the same second."""
    judge = Htpasswd("r", str(path))
    assert await lets_in(judge, "name", "right")
    before = path.stat()

    path.write_text(f"name:{hash_of('other')}\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert not await lets_in(judge, "name", "right")
    assert await lets_in(judge, "name", "other")


@pytest.mark.parametrize("content", ["no colon\n", None])
async def test_a_replacement_that_is_no_good_does_not_take_its_place(path: Path, content: str | None) -> None:
    """Nobody is locked out by a slip, and the next good one counts."""
    judge = Htpasswd("r", str(path))
    path.unlink() if content is None else replace(path, content)

    assert await lets_in(judge, "name", "right")
    assert not await lets_in(judge, "name", "wrong")

    replace(path, f"name:{hash_of('changed')}\n")
    assert await lets_in(judge, "name", "changed")
    assert not await lets_in(judge, "name", "right")


async def test_a_file_replaced_during_a_verification_is_not_outdone_by_it(path: Path) -> None:
    """What the old file granted is not remembered for the new one (R11)."""
    path.write_text(f"name:{hash_of('right', cost=8)}\n")
    judge = Htpasswd("r", str(path))
    slow = asyncio.create_task(lets_in(judge, "name", "right"))
    await asyncio.sleep(0)
    replace(path, f"name:{hash_of('changed')}\n")
    await asyncio.gather(lets_in(judge, "name", "changed"), slow)

    assert judge.known(presented("name", "right")) is None
    assert not await lets_in(judge, "name", "right")


@pytest.mark.parametrize(
    "password",
    ["", ":", "a:b:c", "pässwörd ✓", b"\xff\x80", "x" * 72, "x" * 73, "x" * 5000, "é" * 40, " spaces ", "#"],
    ids=lambda password: f"{password!r:.12}",
)
async def test_any_password_may_be_one(path: Path, password: str | bytes) -> None:
    """Of any bytes and any length, of which bcrypt looks at 72."""
    path.write_text(f"name:{hash_of(password)}\n")
    judge = Htpasswd("r", str(path))

    assert await lets_in(judge, "name", password)
    assert not await lets_in(judge, "name", "wrong")
    assert not await lets_in(judge, "name", b"y" + (password if isinstance(password, bytes) else password.encode()))


@pytest.mark.parametrize("password", ["\x00", "right\x00", "right\x00more", "\x00right"])
async def test_a_zero_byte_ends_no_password(path: Path, password: str) -> None:
    """In C it would."""
    assert not await lets_in(Htpasswd("r", str(path)), "name", password)


async def test_a_name_may_be_of_any_bytes(path: Path) -> None:
    """But a colon."""
    path.write_bytes(b"caf\xe9:" + hash_of("a").encode() + "\nnäme:".encode() + hash_of("b").encode())
    judge = Htpasswd("r", str(path))

    assert await lets_in(judge, b"caf\xe9", "a")
    assert await lets_in(judge, "näme", "b")
    assert (await judge.authorize(presented("näme", "b"), WANTED)).user == "näme"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Basic YTpi", (b"a", b"b")),
        ("basic YTpi", (b"a", b"b")),
        ("BASIC  YTpi ", (b"a", b"b")),
        ("Basic YTpiOmM=", (b"a", b"b:c")),
        ("Basic Og==", (b"", b"")),
        ("Basic YQ==", None),
        ("Basic YTpi!", None),
        ("Basic YTp", None),
        ("Basic é", None),
        ("Basic \udcff", None),
        ("Basic", None),
        ("Basic ", None),
        ("YTpi", None),
        ("Bearer YTpi", None),
        ("", None),
        (None, None),
    ],
)
def test_basic_credentials(authorization: str | None, expected: tuple[bytes, bytes] | None) -> None:
    """RFC 7617; what is none is nothing."""
    assert parse_basic(authorization) == expected


@pytest.mark.parametrize("authorization", [None, "", "Basic", "Bearer x.y.z", "Basic !!!", "Basic YQ=="])
async def test_the_challenge(path: Path, authorization: str | None) -> None:
    """Names the realm, whose quotes are escaped."""
    judge = Htpasswd('The "Registry"', str(path))

    with pytest.raises(Unauthorized) as refused:
        await judge.authorize(Presented(authorization), WANTED)

    assert refused.value.headers == (("www-authenticate", r'Basic realm="The \"Registry\""'),)
    assert refused.value.detail == [{"Type": "repository", "Class": "", "Name": "team/app", "Action": "push"}]


async def test_who_guesses_is_not_looked_at_any_more(path: Path) -> None:
    """429 with the time to wait, also for the right password; others are not touched, and it ends."""
    clock = Clock()
    judge = Htpasswd("r", str(path), clock)
    for number in range(throttle._FAILURES):
        assert not await lets_in(judge, "name", f"guess {number}")

    for password in ("right", "wrong"):
        with pytest.raises(TooManyRequests) as refused:
            await judge.authorize(presented("name", password), WANTED)
        assert refused.value.headers == (("retry-after", "60"),)

    assert await lets_in(judge, "name", "right", client="192.0.2.2")
    assert not await lets_in(judge, "other", "right")
    clock.now += 60
    assert await lets_in(judge, "name", "right")


async def test_who_is_known_is_not_locked_out_by_who_guesses(path: Path) -> None:
    """Behind a proxy they have the same address."""
    judge = Htpasswd("r", str(path), Clock())
    assert await lets_in(judge, "name", "right")
    for number in range(throttle._FAILURES):
        assert not await lets_in(judge, "name", f"guess {number}")

    assert await lets_in(judge, "name", "right")


async def test_guesses_at_the_same_time_count_as_others_do(path: Path) -> None:
    """A hundred connections get no further than one."""
    judge = Htpasswd("r", str(path), Clock())
    guesses = [judge.authorize(presented("name", f"guess {number}"), WANTED) for number in range(100)]

    answers = await asyncio.gather(*guesses, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, Unauthorized)]
    assert len(refused) < throttle._FAILURES + htpasswd._AT_ONCE
    assert all(isinstance(answer, Unauthorized | TooManyRequests) for answer in answers)


async def test_who_was_verified_is_known_for_a_while(path: Path) -> None:
    """Five minutes, whatever was asked."""
    clock = Clock()
    judge = Htpasswd("r", str(path), clock)
    assert judge.known(presented("name", "right")) is None
    assert await lets_in(judge, "name", "right")

    clock.now += 299
    assert judge.known(presented("name", "right")) == Grant("name")
    assert judge.known(presented("name", "wrong")) is None
    assert judge.known(Presented(None)) is None
    clock.now += 1
    assert judge.known(presented("name", "right")) is None


async def test_no_password_is_kept(path: Path) -> None:
    """Nothing that the process holds has it, once the request is gone."""
    password = "pl" + "anted" * 3
    path.write_text(f"name:{hash_of(password)}\n")
    judge = Htpasswd("r", str(path))
    assert await lets_in(judge, "name", password)
    encoded = (presented("name", password).authorization or "")[10:]
    gc.collect()

    kept = repr([vars(one) for one in (judge, judge._remembered, judge._throttle)])
    assert password not in kept
    assert encoded not in kept


def test_a_missing_file_is_made_once(tmp_path: Path) -> None:
    """For its owner only, with a name and a password that nobody could guess; what is there is left alone."""
    path = tmp_path / "new" / "htpasswd"
    old = os.umask(0)
    try:
        made = provision(str(path))
    finally:
        os.umask(old)

    assert made is not None
    assert (made[0], len(made[1])) == ("docker", 43)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    content = path.read_bytes()
    assert content.startswith(b"docker:$2b$10$")
    assert made[1].encode() not in content
    assert bcrypt.checkpw(made[1].encode(), read(str(path)).hashes[b"docker"])

    assert provision(str(path)) is None
    assert path.read_bytes() == content


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [dangling, empty, Path.mkdir])
def test_what_is_there_is_never_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Whatever it is."""
    path = tmp_path / "htpasswd"
    make(path)

    assert provision(str(path)) is None
    assert os.listdir(tmp_path) == ["htpasswd"]


def test_a_file_that_cannot_be_made_stops_the_start() -> None:
    """With the reason."""
    with pytest.raises(HtpasswdInvalid, match="cannot be made"):
        provision("/proc/entrepot/htpasswd")
