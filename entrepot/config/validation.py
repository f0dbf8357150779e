"""The section `validation`: what a pushed manifest may point at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from entrepot.config.patterns import Pattern
from entrepot.config.section import Given, Section
from entrepot.config.types import Flag, Text, as_flag, one_of


class Urls(Section):
    """Which URLs of foreign layers are taken: one that `allow` finds something in, and `deny` nothing."""

    allow: tuple[Pattern, ...] = ()
    deny: tuple[Pattern, ...] = ()


class Platform(Section):
    """A platform whose manifests must be there."""

    architecture: Text = ""
    os: Text = ""


class Indexes(Section):
    """Which manifests of an index must be there when it is pushed."""

    platforms: Annotated[str, one_of("all", "none", "list", any_case=True)] = "all"
    platformlist: tuple[Platform, ...] = ()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if given.get("platformlist") and given.get("platforms") != "list":
            yield "platformlist", "has no effect unless platforms is list"
        if given.get("platforms") == "list" and not given.get("platformlist"):
            yield "platformlist", "required where platforms is list"


class Manifests(Section):
    """What is checked of a manifest."""

    urls: Urls = Urls()
    indexes: Indexes = Indexes()


class Validation(Section):
    """Checks of manifests, on unless `disabled` (Distribution 2.6 had them off unless `enabled`)."""

    enabled: Flag = False
    disabled: Flag = False
    manifests: Manifests = Manifests()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        enabled, disabled = as_flag(given.get("enabled")), as_flag(given.get("disabled"))
        if enabled and disabled:
            yield "disabled", "contradicts validation.enabled"
        if enabled is False and not disabled:
            yield "enabled", "does not switch validation off; validation.disabled: true does"
