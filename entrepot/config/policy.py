"""The section `policy`: what may be stored."""

from __future__ import annotations

from typing import Annotated

from entrepot.config.section import Section
from entrepot.config.types import one_of


class RepositoryPolicy(Section):
    """The classes of content that may be pushed; none listed means all."""

    classes: tuple[Annotated[str, one_of("image", "plugin")], ...] = ()


class Policy(Section):
    """Rules for content."""

    repository: RepositoryPolicy = RepositoryPolicy()
