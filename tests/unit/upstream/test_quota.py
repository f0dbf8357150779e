"""Rate limits as upstreams tell them, and the cool-down after 429, by a clock of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from entrepot.oci.errors import TooManyRequests
from entrepot.upstream.message import Head
from entrepot.upstream.quota import Quota, RateLimit, read_rate
from tests.unit.upstream.clocks import Clock

URL = Url("https://registry.example/v2/")


def _head(status: int = 200, **headers: str) -> Head:
    lines = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Head(status, URL, lambda name: [lines[name.lower()]] if name.lower() in lines else [])


def _retry_after(quota: Quota) -> str:
    with pytest.raises(TooManyRequests) as refusal:
        quota.admit()
    return dict(refusal.value.headers)["Retry-After"]


def test_as_docker_hub_tells_them() -> None:
    """Limit, what is left, the window and by what we are counted."""
    head = _head(ratelimit_limit="100;w=21600", ratelimit_remaining="76;w=21600", docker_ratelimit_source="192.0.2.1")

    assert read_rate(head) == RateLimit(100, 76, 21600, "192.0.2.1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("76", RateLimit(None, 76, None)),
        ("0;w=60", RateLimit(None, 0, 60)),
        ("76 ; w=21600", RateLimit(None, 76, 21600)),
        ("-1", None),
        ("76;w=", None),
        ("many", None),
        ("", None),
        ("9" * 100, None),
    ],
)
def test_other_forms(value: str, expected: RateLimit | None) -> None:
    """A bare number counts; what is no number says nothing."""
    assert read_rate(_head(ratelimit_remaining=value)) == expected


@given(st.text())
def test_total(value: str) -> None:
    """Whatever is sent is read without an error."""
    rate = read_rate(_head(ratelimit_limit=value, ratelimit_remaining=value, docker_ratelimit_source=value))

    assert rate is None or rate.limit is not None


def test_the_last_word_counts() -> None:
    """An answer that says nothing leaves what was known."""
    quota = Quota()
    quota.note(_head(ratelimit_remaining="76;w=21600"))
    quota.note(_head())

    assert quota.rate.remaining == 76


@pytest.mark.parametrize(
    ("sent", "expected"),
    [({"retry_after": "7"}, 7), ({}, 5), ({"retry_after": "junk"}, 5), ({"retry_after": "1000000000"}, 60)],
)
def test_cool_down(sent: dict[str, str], expected: int) -> None:
    """After 429 nobody passes before its Retry-After, which is bounded; then all do."""
    clock = Clock()
    quota = Quota(60.0, clock, lambda: 0.0)

    assert quota.note(_head(429, **sent))
    assert _retry_after(quota) == str(expected)
    clock.advance(expected - 0.5)
    assert _retry_after(quota) == "1"
    clock.advance(0.5)
    quota.admit()


def test_jitter_prolongs() -> None:
    """Workers that were refused together do not all come back together, and none before its time."""
    clock = Clock()
    quota = Quota(60.0, clock, lambda: 1.0)
    quota.note(_head(429, retry_after="10"))
    clock.advance(10)

    assert _retry_after(quota) == "2"


def test_answers_from_before_do_not_end_it() -> None:
    """What was under way when 429 came may still be answered: that is no leave to go on."""
    clock = Clock()
    quota = Quota(60.0, clock, lambda: 0.0)
    quota.note(_head(429, retry_after="10"))

    assert not quota.note(_head(200))
    assert _retry_after(quota) == "10"
    assert not quota.note(_head(429, retry_after="1"))
    assert _retry_after(quota) == "10"


def test_recovered_by_an_answer() -> None:
    """The time alone does not tell that all is well again; the first other answer does, once."""
    clock = Clock()
    quota = Quota(60.0, clock, lambda: 0.0)
    quota.note(_head(429, retry_after="1"))
    clock.advance(1)
    quota.admit()

    assert quota.is_exhausted
    assert quota.note(_head(200))
    assert not quota.note(_head(200))
