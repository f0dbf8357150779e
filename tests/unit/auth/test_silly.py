"""Silly takes anything at all, and says in Distribution's words what it wants."""

import pytest

from entrepot.auth.base import ANY, Access, Presented
from entrepot.auth.silly import Silly
from entrepot.oci.errors import Detail, Unauthorized

PULL, PUSH = Access("repository", "team/app", "pull"), Access("repository", "team/app", "push")
CATALOG = Access("registry", "catalog", ANY)


@pytest.mark.parametrize("authorization", ["x", "Basic eDp5", "Bearer", " ", "\x00é"])
async def test_whoever_presents_anything_may_do_everything(authorization: str) -> None:
    """At once, too."""
    silly = Silly("realm", "service")
    presented = Presented(authorization)

    for grant in (silly.known(presented), await silly.authorize(presented, [PULL, PUSH, CATALOG])):
        assert grant is not None
        assert grant.user == "silly"
        assert grant.allows(CATALOG)


@pytest.mark.parametrize("authorization", [None, ""])
@pytest.mark.parametrize(
    ("wanted", "scope"),
    [
        ([], ""),
        ([PULL], ',scope="repository:team/app:pull"'),
        # Not merged, as they are by `token`.
        ([PULL, PUSH], ',scope="repository:team/app:pull repository:team/app:push"'),
        ([CATALOG], ',scope="registry:catalog:*"'),
    ],
)
async def test_who_presents_nothing_is_told_what_is_wanted(
    authorization: str | None, wanted: list[Access], scope: str
) -> None:
    """By the challenge, and by the error's detail with the names of Distribution's struct."""
    silly = Silly("https://auth.example.com/token", "registry.example.com")
    assert silly.known(Presented(authorization)) is None

    with pytest.raises(Unauthorized) as refused:
        await silly.authorize(Presented(authorization), wanted)

    challenge = f'Bearer realm="https://auth.example.com/token",service="registry.example.com"{scope}'
    assert refused.value.headers == (("www-authenticate", challenge),)
    detail = [{"Type": one.type, "Class": "", "Name": one.name, "Action": one.action} for one in wanted]
    assert refused.value.detail == (detail or Detail.NULL)


@pytest.mark.parametrize(
    ("realm", "expected"),
    [('a "b"', r'"a \"b\""'), ("a\\b", r'"a\\b"'), ("a\r\nX: y", '"a??X: y"'), ("a\x00\x7fb", '"a??b"')],
)
async def test_a_challenge_is_one_line_with_quotes_where_they_belong(realm: str, expected: str) -> None:
    """Whatever is in it: what a client names is repeated there."""
    with pytest.raises(Unauthorized) as refused:
        await Silly(realm, "s").authorize(Presented(None), [])

    assert refused.value.headers == (("www-authenticate", f'Bearer realm={expected},service="s"'),)
