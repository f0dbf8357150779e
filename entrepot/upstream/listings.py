"""Lists that come in pages, tied by Link headers, with bounds on their number and size (CVE-2023-25153 and kin)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from pyreqwest.http import Url

from entrepot.oci.errors import NameUnknown, TagInvalid, UpstreamFailed
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.upstream.addresses import NotAllowed, join
from entrepot.upstream.message import Head
from entrepot.upstream.questions import Questions
from entrepot.upstream.reply import Reply
from entrepot.wire.links import parse_next

PAGE_SIZE = 1000
PAGE_LIMIT = 1000
"""Quay and GHCR give a hundred tags a page, whatever is asked for."""

BYTE_LIMIT = 8 * MANIFEST_LIMIT
"""Of all pages together."""

Ask = Callable[[Url], AbstractAsyncContextManager[Reply]]
Take = Callable[[bytes], bool]


async def list_tags(questions: Questions, name: RepositoryName, after: str, limit: int | None) -> Page[str]:
    """As an Upstream's `tags`; how long all pages may take is for the caller to say."""
    found: list[str] = []

    def take(content: bytes) -> bool:
        tags = parse_tags(content)
        found.extend(tags if found else tags_after(tags, after))
        return limit is not None and len(found) >= limit

    query = {"n": str(PAGE_SIZE if limit is None else min(limit, PAGE_SIZE))} | ({"last": after} if after else {})
    absent = NameUnknown({"name": name})
    more = await walk(lambda url: questions.page(name, url, absent), questions.url(name, "tags/list", query), take)
    return Page(found[:limit], more or (limit is not None and len(found) > limit))


async def walk(ask: Ask, first: Url, take: Take) -> bool:
    """Hand each page's bytes to `take` until it says that it has enough; answer whether more pages follow.

    Raises UpstreamFailed for a list that has no end within the bounds, and what `ask` and `take` raise.
    """
    url, seen, budget = first, set[str](), BYTE_LIMIT
    while len(seen) < PAGE_LIMIT:
        seen.add(str(url))
        async with ask(url) as reply:
            reply.require_plain()
            content = await reply.content(min(MANIFEST_LIMIT, budget))
            following = next_page(reply.head)
        budget -= len(content)
        enough = take(content)
        if following is None or enough:
            return following is not None
        if str(following) in seen:
            raise UpstreamFailed("the upstream's list leads back to itself")
        url = following
    raise UpstreamFailed("the upstream's list has no end")


def next_page(head: Head) -> Url | None:
    """Where the next page is: on the host that gave this one, since it is asked with the same credentials.

    Raises UpstreamFailed where the Link leads elsewhere.
    """
    reference = next(filter(None, map(parse_next, head.lines("Link"))), None)
    if reference is None:
        return None
    try:
        url = join(head.url, reference)
    except NotAllowed:
        url = None
    if url is None or url.origin_ascii != head.url.origin_ascii:
        raise UpstreamFailed("the upstream's list goes on where it may not")
    return url


def parse_tags(content: bytes) -> list[str]:
    """The tags of one page, in its order; what is no tag is left out. Raises UpstreamFailed for what is no list."""
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict) or not isinstance(members.get("tags"), list | None):
        raise UpstreamFailed("the upstream sent no list of tags")
    return [tag for tag in members.get("tags") or () if isinstance(tag, str) and _is_tag(tag)]


def _is_tag(text: str) -> bool:
    try:
        Tag.parse(text)
    except TagInvalid:
        return False
    return True


def tags_after(tags: Sequence[str], after: str) -> Sequence[str]:
    """What follows `after` in a page of an upstream that may not know `last`, and may have an order of its own."""
    if after in tags:
        return tags[tags.index(after) + 1 :]
    return [tag for tag in tags if tag > after] if list(tags) == sorted(tags) else tags
