"""Log lines by mail: what `log.hooks` of the type `mail` asks for. One thread of each process that has any to send.

The first line is sent at once; what comes within the next minute is gathered, and sent together: a fault that is told a
thousand times a second must not become as many mails. Must not log anything that could be sent.
"""

from __future__ import annotations

import os
import smtplib
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from socket import gethostname

from structlog.typing import EventDict, WrappedLogger

from entrepot.telemetry import get_logger

log = get_logger(__name__)

_MOST_LINES = 1000
_GATHERING = 60.0
"""Seconds between mails."""

_PATIENCE = 10.0
_OWN = "mail_not_sent"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class MailHook:
    """Which levels are sent, by which server, from whom and to whom."""

    levels: frozenset[str]
    host: str
    port: int
    sender: str
    receivers: Sequence[str]
    username: str = ""
    password: str = field(default="", repr=False)
    insecure: bool = False


class Mailing:
    """A structlog processor that passes lines on as they are, and mails those of a hook."""

    def __init__(self, hook: MailHook, gathering: float = _GATHERING) -> None:
        self._hook = hook
        self._gathering = gathering
        self._lines: list[str] = []
        self._dropped = 0
        self._first = ""
        self._awake = threading.Condition()
        self._process = 0

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if event.get("level") in self._hook.levels and event.get("event") != _OWN:
            self._take(event)
        return event

    def _take(self, event: EventDict) -> None:
        with self._awake:
            if self._process != os.getpid():
                # After a fork nobody sends here yet, and what was gathered before is its parent's.
                self._process = os.getpid()
                self._lines = []
                threading.Thread(target=self._send_all, name="log mail", daemon=True).start()
            if len(self._lines) >= _MOST_LINES:
                self._dropped += 1
                return
            if not self._lines:
                self._first = f"[{event.get('level')}] {gethostname()}: {event.get('event')}"
            self._lines.append("\n".join(f"{key}: {value}" for key, value in event.items()))
            self._awake.notify()

    def _send_all(self) -> None:
        never = threading.Event()
        while True:
            with self._awake:
                self._awake.wait_for(lambda: self._lines)
                subject, lines, dropped = self._first, self._lines, self._dropped
                self._lines, self._dropped = [], 0
            try:
                self._send(self._message(subject, lines, dropped))
            except (OSError, smtplib.SMTPException, ValueError) as error:
                log.error(_OWN, lines=len(lines) + dropped, error=f"{type(error).__name__}: {error}"[:300])
            never.wait(self._gathering)

    def _message(self, subject: str, lines: Sequence[str], dropped: int) -> EmailMessage:
        more = len(lines) + dropped - 1
        message = EmailMessage()
        message["Subject"] = _one_line(subject + (f" (and {more} more)" if more else ""))
        message["From"] = _one_line(self._hook.sender)
        message["To"] = ", ".join(map(_one_line, self._hook.receivers))
        end = f"\n\n{dropped} further lines were left out" if dropped else ""
        message.set_content("\n\n".join(lines) + end + "\n")
        return message

    def _send(self, message: EmailMessage) -> None:
        hook = self._hook
        with smtplib.SMTP(hook.host, hook.port, timeout=_PATIENCE) as server:
            server.ehlo()
            is_secure = server.has_extn("starttls")
            if is_secure:
                server.starttls(context=_context(hook))
                server.ehlo()
            if hook.username:
                # As Go's client: a password is for nobody on the way.
                if not is_secure and hook.host not in _LOOPBACK:
                    raise ValueError("the mail server speaks no TLS, so the password is not sent")
                server.login(hook.username, hook.password)
            server.send_message(message, hook.sender, list(hook.receivers))


def _context(hook: MailHook) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if hook.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _one_line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)[:500]
