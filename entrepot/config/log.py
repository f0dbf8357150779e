"""The section `log`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from entrepot.config.address import Peer
from entrepot.config.section import Given, Section, value_at
from entrepot.config.types import NO_SECRET, Flag, Secret, Text, UntypedMap, as_flag, one_of

Level = Annotated[Literal["error", "warn", "info", "debug"], one_of("error", "warn", "info", "debug", any_case=True)]
Formatter = Annotated[Literal["text", "json", "logstash"], one_of("text", "json", "logstash", empty="text")]


class AccessLog(Section):
    """The access log in the combined format, on standard output."""

    disabled: Flag = False


class Smtp(Section):
    """The mail server that a hook sends through."""

    addr: Peer = ""
    username: Text = ""
    password: Secret = NO_SECRET
    insecure: Flag = False


class MailOptions(Section):
    """What a mail hook sends, from whom and to whom."""

    smtp: Smtp = Smtp()
    from_: Text = Field("", alias="from")
    to: tuple[Text, ...] = ()


class Hook(Section):
    """Something done for every log line of certain levels."""

    segments = {"options": "MAILOPTIONS"}

    disabled: Flag = False
    type: Annotated[str, one_of("mail")]
    levels: tuple[Annotated[str, one_of("panic", "fatal", "error", "warn", "info", "debug")], ...] = ()
    options: MailOptions = MailOptions()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if as_flag(given.get("disabled")) is True:
            return
        if not given.get("levels"):
            yield "levels", "required where a hook is not disabled, such as [error]"
        wanted = ("smtp.addr", "from", "to")
        missing = [path for path in wanted if not value_at(given, "options", *path.split("."))]
        if missing:
            yield "options", f"{', '.join(missing)} required where a hook is not disabled"


class Log(Section):
    """What is logged and in which form; `level` None means that only the older `loglevel` may have named one."""

    accesslog: AccessLog = AccessLog()
    level: Level | None = None
    formatter: Formatter = "text"
    fields: UntypedMap = {}
    hooks: tuple[Hook, ...] = ()
    reportcaller: Flag = False
