"""Credentials from a helper program: how it is asked, how long it is believed, and all the ways it can fail."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from entrepot.testing import images
from entrepot.testing.quirks import ExpiringPassword
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.base import Credentials
from entrepot.upstream.credential_helper import ask_helper
from entrepot.upstream.helper_credentials import AFTER_FAILURE, HelperCredentials
from tests.unit.upstream.clocks import Clock
from tests.unit.upstream.conftest import NAME, TAG, Connect
from tests.unit.upstream.programs import Helper, answer, make_helper

HOST = "registry.example:5000"
URL = f"https://{HOST}/path"
KNOWN = Credentials("user", "planted")


@pytest.fixture
def helper(tmp_path: Path) -> Helper:
    """One that knows a password."""
    return make_helper(tmp_path / "a helper", answer("user", "planted"))


async def test_the_protocol(helper: Helper) -> None:
    """`get` is its argument, the host with its port comes on its standard input, without a shell between."""
    assert await HelperCredentials(URL, helper.command).credentials(HOST) == KNOWN
    assert helper.asked == [f"get {HOST}"]


async def test_found_on_the_path(helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a slash is looked for as a shell would."""
    monkeypatch.setenv("PATH", f"{helper.path.parent}:{os.environ['PATH']}")

    assert await ask_helper(helper.path.name, HOST) == KNOWN


async def test_the_own_host_only(helper: Helper) -> None:
    """For any other host there is nothing, and the helper does not even hear of it."""
    source = HelperCredentials(URL, helper.command)
    for host in ("registry.example", "registry.example:443", "evil.example", ""):
        assert await source.credentials(host) is None
    assert helper.asked == []


async def test_identity_tokens(tmp_path: Path) -> None:
    """By the name `<token>` a helper gives a token that is to be exchanged, no password."""
    helper = make_helper(tmp_path / "helper", answer("<token>", "planted"))

    assert await ask_helper(helper.command, HOST) == Credentials("", "", "planted")


@pytest.mark.parametrize(
    ("lifetime", "expected"), [(None, [1, 1, 1]), (0.0, [1, 2, 3]), (60.0, [1, 1, 2]), (3600.0, [1, 1, 1])]
)
async def test_lifetime(helper: Helper, lifetime: float | None, expected: list[int]) -> None:
    """None asks once, 0 each time, and anything else is how long an answer is kept."""
    clock, counts = Clock(), []
    source = HelperCredentials(URL, helper.command, lifetime, clock=clock)
    for _ in range(3):
        assert await source.credentials(HOST) == KNOWN
        counts.append(len(helper.asked))
        clock.advance(40)

    assert counts == expected


async def test_asked_once_for_all_who_wait(helper: Helper) -> None:
    """Many who need credentials at once share one run."""
    source = HelperCredentials(URL, helper.command, 60.0)
    found = await asyncio.gather(*(source.credentials(HOST) for _ in range(20)))

    assert found == [KNOWN] * 20
    assert len(helper.asked) == 1


async def test_what_was_refused_is_asked_anew(helper: Helper) -> None:
    """Credentials that the upstream did not take are asked for again, but not again and again."""
    clock = Clock()
    source = HelperCredentials(URL, helper.command, clock=clock)
    await source.credentials(HOST)
    source.refused(KNOWN)
    await source.credentials(HOST)
    assert len(helper.asked) == 1
    clock.advance(AFTER_FAILURE)
    source.refused(Credentials("user", "another"))
    await source.credentials(HOST)
    source.refused(KNOWN)
    await source.credentials(HOST)

    assert len(helper.asked) == 2


FAILURES = {
    "an exit status": ("echo planted; exit 3", "exit status 3"),
    "no JSON": ("echo planted", "no JSON object"),
    "no object": ("echo '[]'", "no JSON object"),
    "nothing": ("true", "no JSON object"),
    "no secret": ("""echo '{"Username":"user","Secret":""}'""", "no Username and Secret"),
    "other types": ("""echo '{"Username":1,"Secret":["planted"]}'""", "no Username and Secret"),
    "too much": ("yes planted", "more than 65536 bytes"),
    "a signal": ("kill -9 $$", "exit status -9"),
}


@pytest.mark.parametrize(("script", "reason"), FAILURES.values(), ids=FAILURES)
async def test_failures(tmp_path: Path, capfd: pytest.CaptureFixture[str], script: str, reason: str) -> None:
    """Whatever goes wrong is logged without what the helper wrote, and the upstream is asked anonymously."""
    helper = make_helper(tmp_path / "helper", script)

    assert await HelperCredentials(URL, helper.command).credentials(HOST) is None
    written = "".join(capfd.readouterr())
    assert written.count("upstream_credentials_failed") == 1
    assert reason in written
    assert "planted" not in written


async def test_no_such_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A helper that is not there, or can not be run, is a failure like any other: nothing in it is a shell's."""
    plain = tmp_path / "plain"
    plain.write_text(answer("user", "planted"))
    for command in (str(tmp_path / "missing"), str(plain), f"echo {tmp_path}", "true; touch /tmp/planted"):
        assert await ask_helper(command, HOST) is None
    assert "".join(capfd.readouterr()).count("upstream_credentials_failed") == 4


async def test_nothing_known_is_no_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A helper that says that it knows nothing is believed silently."""
    helper = make_helper(tmp_path / "helper", "echo credentials not found in native keychain; exit 1")

    assert await ask_helper(helper.command, HOST) is None
    assert "upstream_credentials_failed" not in "".join(capfd.readouterr())


async def test_one_that_hangs(tmp_path: Path) -> None:
    """A helper that gives no answer is killed with all that it started, which hold its output open."""
    helper = make_helper(tmp_path / "helper", f'sleep 1000 & echo $! > "{tmp_path}/child"; wait')

    assert await ask_helper(helper.command, HOST, 1.0) is None
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_who_waits_may_leave(tmp_path: Path) -> None:
    """A request that is cancelled does not leave the helper behind."""
    helper = make_helper(tmp_path / "helper", f'echo $$ > "{tmp_path}/own"; sleep 1000')
    asking = asyncio.ensure_future(ask_helper(helper.command, HOST))
    while not (tmp_path / "own").exists() or not (tmp_path / "own").read_text():
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert not Path(f"/proc/{(tmp_path / 'own').read_text().strip()}").exists()


async def test_a_failure_is_not_repeated_at_once(tmp_path: Path) -> None:
    """A helper that fails is left alone for some seconds, then asked again, also where one answer would be kept."""
    clock, helper = Clock(), make_helper(tmp_path / "helper", "exit 1")
    source = HelperCredentials(URL, helper.command, clock=clock)
    for _ in range(3):
        assert await source.credentials(HOST) is None
    assert len(helper.asked) == 1
    make_helper(helper.path, answer("user", "planted"))
    clock.advance(AFTER_FAILURE)

    assert await source.credentials(HOST) == KNOWN


async def test_a_password_that_expires(upstream: TestUpstream, connect: Connect, tmp_path: Path) -> None:
    """When the upstream refuses what a helper gave hours ago, the helper is asked anew within the same question."""
    upstream.demand = demand = ExpiringPassword("AWS", "first")
    expected = upstream.add_image(NAME, TAG, images.image())
    helper, clock = make_helper(tmp_path / "helper", answer("AWS", "first")), Clock()
    client = connect(credentials=HelperCredentials(upstream.url, helper.command, clock=clock))
    assert await client.resolve(NAME, TAG) == expected
    make_helper(helper.path, answer("AWS", "second"))
    demand.change("second")
    clock.advance(12 * 3600)

    assert await client.resolve(NAME, TAG) == expected
    assert len(helper.asked) == 2
