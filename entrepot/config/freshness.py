"""How long a tag is taken as unmoved before its upstream is asked again."""

from __future__ import annotations

from pydantic import Field

from entrepot.config.patterns import Pattern
from entrepot.config.section import Section
from entrepot.config.types import Period


class Rule(Section):
    """A period, in seconds, for the tags that contain a match of `tags`."""

    tags: Pattern
    period: Period = Field(alias="for")


class Freshness(Section):
    """The first rule that fits a tag decides, else `default`, in seconds; 0 asks each time."""

    default: Period = 0.0
    rules: tuple[Rule, ...] = ()
