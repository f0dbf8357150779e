"""The sections `catalog` and `tags`: how long a page of a listing may be."""

from __future__ import annotations

from typing import Annotated

from entrepot.config.section import Section
from entrepot.config.types import Count, Integer, positive_or


class Catalog(Section):
    """The most repositories on one page."""

    maxentries: Annotated[Integer, positive_or(1000)] = 1000


class Tags(Section):
    """The most tags on one page."""

    maxtags: Annotated[Count, positive_or(1000)] = 1000
