"""The section `middleware`: what Distribution wraps around a storage driver, a registry or a repository."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from entrepot.config.section import Given, Parameters, Section
from entrepot.config.types import FilePath, Flag, Name, Text, UntypedMap, UntypedSeconds, one_of
from entrepot.config.urls import BaseUrl

_REQUIRED = {"cloudfront": ("baseurl", "privatekey", "keypairid"), "redirect": ("baseurl",), "rewrite": ()}
_ALLOWED = {
    "cloudfront": {
        *("baseurl", "privatekey", "keypairid", "duration", "ipfilteredby", "awsregion"),
        *("updatefrequency", "updatefrenquency", "iprangesurl"),
    },
    "redirect": {"baseurl"},
    "rewrite": {"scheme", "host", "trimpathprefix"},
}


class StorageOptions(Parameters):
    """The options of all storage middleware together; which of them belong to which is checked by StorageMiddleware."""

    baseurl: Text = ""
    privatekey: FilePath = ""
    keypairid: Text = ""
    duration: UntypedSeconds = 20 * 60.0
    ipfilteredby: Annotated[str, one_of("none", "aws", "awsregion", any_case=True)] = "none"
    awsregion: Text = ""
    updatefrequency: UntypedSeconds = 12 * 3600.0
    updatefrenquency: UntypedSeconds = 12 * 3600.0
    iprangesurl: BaseUrl = "https://ip-ranges.amazonaws.com/ip-ranges.json"
    scheme: Text = ""
    host: Text = ""
    trimpathprefix: Text = ""


class StorageMiddleware(Section):
    """One change to the URLs that a driver sends clients to."""

    name: Annotated[str, one_of("cloudfront", "redirect", "rewrite")]
    disabled: Flag = False
    options: StorageOptions = StorageOptions()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        name, options = given.get("name"), given.get("options") or {}
        if not isinstance(name, str) or name not in _ALLOWED or not isinstance(options, dict):
            return
        if name == "cloudfront":
            yield "name", "cloudfront is not supported yet"
        for key in _REQUIRED[name]:
            if not options.get(key):
                yield "options", f"{name} requires {key}"
        for key in options:
            if key in StorageOptions.model_fields and key not in _ALLOWED[name]:
                yield "options", f"{key} is not an option of {name}"


class Extension(Section):
    """Middleware of a registry or a repository: Distribution ships none, so that options can be anything."""

    name: Name
    disabled: Flag = False
    options: UntypedMap = Field({}, repr=False)


class Middleware(Parameters):
    """What is wrapped around what, in order."""

    registry: tuple[Extension, ...] = ()
    repository: tuple[Extension, ...] = ()
    storage: tuple[StorageMiddleware, ...] = ()
