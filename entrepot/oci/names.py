"""Repository names, tags and references: the grammar of the OCI distribution-spec, "Pulling manifests"."""

from __future__ import annotations

import re
from typing import Self

from entrepot.oci.digest import Digest
from entrepot.oci.errors import NameInvalid, TagInvalid

NAME_LIMIT = 255
"""Characters; Distribution's bound on a whole repository name."""

TAG_LIMIT = 128

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class RepositoryName(str):
    """A valid repository name; its components never begin with `_` or `.`, so that it is safe as a path."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NameInvalid."""
        # The length first: the pattern is linear, but not free.
        if len(text) > NAME_LIMIT or _NAME.fullmatch(text) is None:
            raise NameInvalid({"name": text[: NAME_LIMIT + 1]})
        return cls(text)


class Tag(str):
    """A valid tag."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises TagInvalid."""
        if not is_tag(text):
            raise TagInvalid({"tag": text[: TAG_LIMIT + 1]})
        return cls(text)


def is_tag(text: str) -> bool:
    """Whether it is a valid tag."""
    return len(text) <= TAG_LIMIT and _TAG.fullmatch(text) is not None


def parse_reference(text: str) -> Tag | Digest:
    """A tag or a digest. A colon makes it a digest, since no tag holds one; raises DigestInvalid or TagInvalid."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)
