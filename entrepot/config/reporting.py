"""The section `reporting`, which Distribution dropped with 3.0."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from entrepot.config.problems import Unfit
from entrepot.config.section import Section
from entrepot.config.types import NO_SECRET, Flag, Secret, Text, as_text
from entrepot.config.urls import Url


def _share(value: object) -> str:
    text = as_text(value)
    try:
        share = float(text) if len(text) < 16 else -1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise Unfit(f"{text[:16]!r} is not a share from 0 to 1")
    return text


class Bugsnag(Section):
    """Where errors are reported."""

    apikey: Secret = NO_SECRET
    releasestage: Text = ""
    endpoint: Url = Field("", repr=False)


class NewRelic(Section):
    """Where errors are reported; `verbose` says what its agent says of itself in the log."""

    licensekey: Secret = NO_SECRET
    name: Text = ""
    verbose: Flag = False


class Sentry(Section):
    """Where errors are reported; not a service of Distribution. `samplerate` is the share of errors, 0 to 1."""

    dsn: Secret = NO_SECRET
    environment: Text = ""
    samplerate: Annotated[str, BeforeValidator(_share)] = "1.0"


class Reporting(Section):
    """Services that hear of errors and performance."""

    sentry: Sentry = Sentry()

    bugsnag: Bugsnag = Bugsnag()
    newrelic: NewRelic = NewRelic()
