"""The command line: version, help, check of a configuration, and what a wrong use of it says."""

import re
from pathlib import Path

import pytest

from entrepot import __version__
from tests.process.command import entrepot, write_config

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("option", ["--version", "-v"])
def test_version(option: str) -> None:
    """The version is one line on standard output."""
    ended = entrepot(option)

    assert (ended.status, ended.out, ended.err) == (0, f"entrepot {__version__}\n", "")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option: str) -> None:
    """The help names the commands."""
    ended = entrepot(option)

    assert ended.status == 0
    assert {"serve", "check-config", "--version"} <= set(COLOUR.sub("", ended.out).split())


@pytest.mark.parametrize(("command", "words"), [("serve", {"--workers", "[CONFIG]"}), ("check-config", {"[CONFIG]"})])
def test_help_of_a_command(command: str, words: set[str]) -> None:
    """Each command has a help of its own, which tells where the configuration comes from."""
    ended = entrepot(command, "--help")

    assert ended.status == 0
    assert words <= set(COLOUR.sub("", ended.out).split())
    assert "REGISTRY_CONFIGURATION_PATH" in ended.out.replace("\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("serve", "a.yml", "b.yml"),
        ("serve", "--workers", "-1"),
        ("check-config", "--nonsense"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...]) -> None:
    """A wrong use ends with 2 and says so, without a traceback."""
    ended = entrepot(*arguments)

    assert ended.status == 2
    assert "Traceback" not in ended.err
    assert "Usage" in ended.out + ended.err


def test_check_of_a_good_configuration(tmp_path: Path) -> None:
    """A good configuration is called valid; nothing is started, and no data directory made."""
    path = write_config(tmp_path)
    ended = entrepot("check-config", str(path))

    assert (ended.status, ended.out, ended.err) == (0, f"{path}: valid\n", "")
    assert not (tmp_path / "data").exists()


def test_check_without_a_configuration(tmp_path: Path) -> None:
    """Where none is named, the built-in one is checked."""
    ended = entrepot("check-config", directory=tmp_path)

    assert (ended.status, ended.out) == (0, "the built-in configuration: valid\n")


def test_check_by_the_environment(tmp_path: Path) -> None:
    """The environment may name the configuration; overrides are part of what is checked."""
    path = write_config(tmp_path)
    environment = {"REGISTRY_CONFIGURATION_PATH": str(path)}

    assert entrepot("check-config", environment=environment).out == f"{path}: valid\n"
    bad = entrepot("check-config", environment=environment | {"REGISTRY_HTTP_ADDR": "nonsense"})
    assert bad.status == 2
    assert bad.err == "configuration error: REGISTRY_HTTP_ADDR: http.addr: 'nonsense' is not host:port\n"


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_all_problems_at_once(tmp_path: Path, command: str) -> None:
    """Every problem is one line with its place; the status is 2, and nothing was started."""
    bad = {
        "http": {"adr": ":5000", "draintimeout": "soon"},
        "storage": {"filesystm": {}},
        "auth": {"silly": {"realm": "r"}},
    }
    ended = entrepot(command, str(write_config(tmp_path, bad)))

    assert ended.status == 2
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert all(line.startswith(f"configuration error: {tmp_path}/config.yml: ") for line in lines)
    for place in ("http.adr", "http.draintimeout", "storage.filesystm", "auth.silly.service"):
        assert sum(f" {place}: " in line for line in lines) == 1, lines
    assert any("did you mean http.addr?" in line for line in lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("No such file or directory",)),
        (b"", ("version", "required")),
        (b"\xff\xfe\x00", ("not UTF-8",)),
        (b"version: 0.1\nhttp: &a [*a]", ()),
        (b"#" * 20_000_000, ("longer than",)),
        (b'version: 0.1\n"\\x1b[31mred\\r\\n": 1\n', ("unknown key",)),
    ],
    ids=["missing", "empty", "binary", "recursive", "endless", "colours"],
)
def test_unreadable_configuration(tmp_path: Path, content: bytes | None, words: tuple[str, ...]) -> None:
    """A file that is missing or no configuration gives lines that name it, and 2."""
    path = tmp_path / "config.yml"
    if content is not None:
        path.write_bytes(content)
    ended = entrepot("check-config", str(path))

    assert ended.status == 2
    lines = ended.err.splitlines()
    assert lines
    assert all(line.startswith("configuration error: ") and str(path) in line for line in lines)
    assert not [word for word in words if word not in ended.err]
    assert all(line.isprintable() for line in lines)


def test_directory_as_configuration(tmp_path: Path) -> None:
    """A directory is not a configuration."""
    ended = entrepot("serve", str(tmp_path))

    assert (ended.status, ended.err) == (2, f"configuration error: {tmp_path}: Is a directory\n")


def test_unknown_override_is_told(tmp_path: Path) -> None:
    """A variable that is no setting's is told, with the one that was probably meant, and does no harm."""
    ended = entrepot("check-config", str(write_config(tmp_path)), environment={"REGISTRY_HTTP_ADR": ":5000"})

    assert ended.status == 0
    assert ended.err == (
        "warning: REGISTRY_HTTP_ADR: not the name of a setting, ignored, did you mean REGISTRY_HTTP_ADDR?\n"
    )


def test_upstream_that_is_no_host(tmp_path: Path) -> None:
    """A URL that no client can take is found by the check, not by the workers."""
    path = write_config(tmp_path, {"proxy": {"remoteurl": "http://256.1.1.1"}})
    ended = entrepot("check-config", str(path))

    assert ended.status == 2
    assert ended.err == (
        f"configuration error: {path}: proxy.remoteurl: its host is neither a name nor an IP address\n"
    )


@pytest.mark.parametrize("number", ["abc", "-1", "1025", "1.5"])
def test_number_of_workers_that_is_none(tmp_path: Path, number: str) -> None:
    """A wrong number in the environment is told as any other wrong setting there is."""
    ended = entrepot("serve", str(write_config(tmp_path)), environment={"ENTREPOT_WORKERS": number})

    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"configuration error: ENTREPOT_WORKERS: {number!r} is not a number from 0 to 1024\n"


def test_number_of_workers_on_the_command_line(tmp_path: Path) -> None:
    """An option goes before the environment, which is then not even looked at."""
    path = write_config(tmp_path, {"http": {"adr": ":5000"}})
    ended = entrepot("serve", "--workers", "1", str(path), environment={"ENTREPOT_WORKERS": "abc"})

    assert ended.status == 2
    assert "http.adr" in ended.err
    assert "ENTREPOT_WORKERS" not in ended.err
