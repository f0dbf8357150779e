"""The circuit breaker, by a clock of its own."""

from dataclasses import dataclass, field

import pytest

from entrepot.oci.errors import UpstreamUnreachable
from entrepot.upstream.breaker import Breaker, Tolerance
from tests.unit.upstream.clocks import Clock


@dataclass
class Scene:
    """A breaker that opens at the third failure, and its clock."""

    clock: Clock = field(default_factory=Clock)
    chance: float = 0.0

    def __post_init__(self) -> None:
        self.breaker = Breaker(Tolerance(failures=3, first=1.0, longest=30.0), self.clock, lambda: self.chance)

    def fail(self, times: int = 1) -> None:
        """So many requests that fail."""
        for _ in range(times):
            self.breaker.fail(is_probe=self.breaker.admit())

    def refused_for(self) -> str:
        """The Retry-After with which a request is refused."""
        with pytest.raises(UpstreamUnreachable) as refusal:
            self.breaker.admit()
        return dict(refusal.value.headers)["Retry-After"]


def test_opens_after_failures_in_a_row() -> None:
    """Failures count only one after the other: an answer between them starts the count anew."""
    scene = Scene()
    scene.fail(2)
    assert not scene.breaker.succeed()
    scene.fail(2)
    assert scene.breaker.fail(is_probe=scene.breaker.admit())

    assert scene.breaker.is_open
    assert scene.refused_for() == "1"


def test_one_finds_out() -> None:
    """When the time is over one request passes, and no other one until its answer has come."""
    scene = Scene()
    scene.fail(3)
    scene.clock.advance(1.0)

    assert scene.breaker.admit()
    assert scene.refused_for() == "1"
    assert scene.breaker.succeed()
    assert not scene.breaker.admit()


def test_the_back_off_doubles_up_to_a_bound() -> None:
    """Each time that nothing has become better it takes twice as long, at most the longest."""
    scene, waits = Scene(), []
    scene.fail(3)
    for _ in range(7):
        waits.append(int(scene.refused_for()))
        scene.clock.advance(waits[-1])
        scene.fail()

    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_recovery_forgets_the_back_off() -> None:
    """After an answer the next failures begin with the shortest time again."""
    scene = Scene()
    scene.fail(3)
    scene.clock.advance(1.0)
    scene.fail()
    scene.clock.advance(2.0)
    scene.breaker.admit()
    scene.breaker.succeed()
    scene.fail(3)

    assert scene.refused_for() == "1"


def test_failures_from_before_do_not_prolong_it() -> None:
    """Requests that were under way when it opened may all fail: that is no news."""
    scene = Scene()
    scene.fail(3)
    for _ in range(20):
        assert not scene.breaker.fail(is_probe=False)
    scene.clock.advance(1.0)

    assert scene.breaker.admit()


def test_an_answer_from_before_closes_it() -> None:
    """A request that was under way when it opened, and is answered, shows that all is well."""
    scene = Scene()
    scene.fail(3)

    assert scene.breaker.succeed()
    assert not scene.breaker.admit()


def test_who_gives_up_lets_another_one_find_out() -> None:
    """A request that ends without telling anything neither opens nor closes anything."""
    scene = Scene()
    scene.fail(3)
    scene.clock.advance(1.0)
    scene.breaker.forgo(is_probe=scene.breaker.admit())

    assert scene.breaker.admit()


def test_jitter_shortens_by_a_quarter_at_most() -> None:
    """Workers that failed together do not all come back together."""
    scene = Scene(chance=1.0)
    scene.fail(3)
    scene.clock.advance(0.74)
    scene.refused_for()
    scene.clock.advance(0.01)

    assert scene.breaker.admit()
