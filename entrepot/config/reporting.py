"""The section `reporting`, which Distribution dropped with 3.0."""

from __future__ import annotations

from pydantic import Field

from entrepot.config.section import Section
from entrepot.config.types import NO_SECRET, Flag, Secret, Text
from entrepot.config.urls import Url


class Bugsnag(Section):
    """Where errors are reported."""

    apikey: Secret = NO_SECRET
    releasestage: Text = ""
    endpoint: Url = Field("", repr=False)


class NewRelic(Section):
    """Where performance is reported."""

    licensekey: Secret = NO_SECRET
    name: Text = ""
    verbose: Flag = False


class Reporting(Section):
    """Services that hear of errors and performance."""

    bugsnag: Bugsnag = Bugsnag()
    newrelic: NewRelic = NewRelic()
