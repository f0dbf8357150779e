"""Anybody who says that he is somebody."""

import pytest

from entrepot.auth.base import Access, Presented
from entrepot.auth.silly import Silly
from entrepot.oci.errors import Unauthorized

PULL, PUSH = Access("repository", "a/b", "pull"), Access("repository", "a/b", "push")


@pytest.mark.parametrize("authorization", ["x", "Basic YTpi", "Bearer a.b.c"])
async def test_whoever_presents_anything_may_do_everything(authorization: str) -> None:
    """As user silly."""
    silly, presented = Silly("realm", "service"), Presented(authorization)
    grant = await silly.authorize(presented, [PULL, PUSH])
    assert grant.user == "silly"
    assert silly.known(presented) == grant


@pytest.mark.parametrize("authorization", [None, ""])
@pytest.mark.parametrize(
    ("wanted", "scope"),
    [
        ([], ""),
        ([PULL], ',scope="repository:a/b:pull"'),
        ([PULL, PUSH], ',scope="repository:a/b:pull repository:a/b:push"'),
    ],
)
async def test_who_presents_nothing_is_told_how(authorization: str | None, wanted: list[Access], scope: str) -> None:
    """One scope for each action, as Distribution has it."""
    silly, presented = Silly("the realm", "the service"), Presented(authorization)
    assert silly.known(presented) is None
    with pytest.raises(Unauthorized) as raised:
        await silly.authorize(presented, wanted)
    assert raised.value.headers == (("www-authenticate", f'Bearer realm="the realm",service="the service"{scope}'),)
