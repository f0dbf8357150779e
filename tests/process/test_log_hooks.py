"""Log lines by mail, to a real mail server; and lines that tell where they come from."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.http.certificates import make_pair
from tests.mirror.serving import wait_until
from tests.process.command import entrepot, write_config
from tests.repositories import Repository
from tests.servers import Server, choose_port

SENDER, RECEIVERS = "registry@example.org", ["one@example.org", "two@example.org"]


class Inbox:
    """What a mail server has taken, and by whom it was sent."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.users: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 taken"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.users.append(data.login)
        return AuthResult(success=data.password == b"planted-secret")

    @property
    def subjects(self) -> list[str]:
        return [message_from_bytes(one.original_content or b"")["Subject"] for one in self.envelopes]

    @property
    def text(self) -> str:
        payloads = (message_from_bytes(one.original_content or b"").get_payload(decode=True) for one in self.envelopes)
        return "".join(one.decode() for one in payloads if isinstance(one, bytes))


@contextmanager
def mail_server(**options: Any) -> Iterator[tuple[Inbox, str]]:
    """Runs on loopback; also its address."""
    inbox, port = Inbox(), choose_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port, authenticator=inbox.authenticate, **options)
    controller.start()
    try:
        yield inbox, f"127.0.0.1:{port}"
    finally:
        controller.stop()


def hook(addr: str, **more: Any) -> dict[str, Any]:
    options = {"smtp": {"addr": addr, **more.pop("smtp", {})}, "from": SENDER, "to": RECEIVERS}
    return {"log": {"hooks": [{"type": "mail", "levels": ["error"], "options": options, **more}]}}


def break_store(server: Server) -> None:
    """What is in the way of it makes an error of every push."""
    blobs = server.root / "docker/registry/v2/blobs"
    blobs.parent.mkdir(parents=True, exist_ok=True)
    blobs.write_bytes(b"in the way")


def fail(server: Server, times: int) -> None:
    """Requests that are answered 500, each with an error in the log."""
    with server.client() as client:
        for _ in range(times):
            answer = Repository(client).post("blobs/uploads/", params={"digest": DIGEST}, content=b"content")
            assert answer.status_code == 500


DIGEST = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


def test_errors_are_mailed_and_a_storm_is_not(tmp_path: Path) -> None:
    """From whom and to whom it was configured; what follows within a minute is gathered."""
    with mail_server() as (inbox, addr), Server(tmp_path, hook(addr), prefix=ONE_WORKER) as server:
        break_store(server)
        fail(server, 20)
        wait_until(lambda: inbox.envelopes)
        envelope = inbox.envelopes[0]
        assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, RECEIVERS)
        assert inbox.subjects[0].startswith("[error] ")
        assert "request_failed" in inbox.subjects[0]
        assert "http.request.uri: /v2/" in inbox.text
        assert len(inbox.envelopes) == 1
        assert server.output().count("request_failed") >= 20


ONE_WORKER = ("env", "ENTREPOT_WORKERS=1")


@pytest.mark.parametrize("insecure", [True, False])
def test_a_password_is_sent_over_tls(tmp_path: Path, insecure: bool) -> None:
    """STARTTLS where the server offers it; its certificate counts, unless told otherwise."""
    pair = make_pair(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    account = {"smtp": {"username": "registry", "password": "planted-secret", "insecure": insecure}}
    with (
        mail_server(tls_context=context, require_starttls=True, auth_required=True) as (inbox, addr),
        Server(tmp_path, hook(addr, **account), prefix=ONE_WORKER) as server,
    ):
        break_store(server)
        fail(server, 1)
        if insecure:
            wait_until(lambda: inbox.envelopes)
            assert inbox.users == [b"registry"]
        else:
            wait_until(lambda: "mail_not_sent" in server.output())
            assert inbox.envelopes == []
        assert "planted" not in server.output()


def test_no_mail_server_holds_up_nobody(tmp_path: Path) -> None:
    """The log says so; requests are answered."""
    with Server(tmp_path, hook("127.0.0.1:1"), prefix=ONE_WORKER) as server:
        break_store(server)
        fail(server, 3)
        wait_until(lambda: "mail_not_sent" in server.output())
        assert server.output().count("mail_not_sent") == 1


def test_a_disabled_hook_sends_nothing(tmp_path: Path) -> None:
    """Whatever else it says."""
    with mail_server() as (inbox, addr), Server(tmp_path, hook(addr, disabled=True), prefix=ONE_WORKER) as server:
        break_store(server)
        fail(server, 3)
        assert inbox.envelopes == []


def test_a_hook_without_what_it_needs(tmp_path: Path) -> None:
    """Each is told."""
    ended = entrepot("check-config", str(write_config(tmp_path, {"log": {"hooks": [{"type": "mail"}]}})))

    assert ended.status == 2
    assert "log.hooks[0].levels: required" in ended.err
    assert "log.hooks[0].options: smtp.addr, from, to required" in ended.err


def test_the_caller_is_told(tmp_path: Path) -> None:
    """`func` and `file`, as logrus names them."""
    with Server(tmp_path, {"log": {"reportcaller": True}}) as server:
        line = next(line for line in server.output().splitlines() if "listening on 127" in line and "func=" in line)

        assert "func=run._announce" in line
        assert "file=run.py:" in line
