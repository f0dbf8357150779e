"""Finding, reading and judging a configuration as a whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from entrepot.config.document import LONGEST_TEXT
from entrepot.config.load import Loaded, load, locate, parse
from entrepot.config.problems import ConfigurationError
from tests.unit.config.reading import MINIMAL, SOURCE, configured, minimal, problems

EXAMPLES = Path(__file__).parents[3] / "examples"

MIRROR = """
version: 0.1
log: {level: info, formatter: json, fields: {service: mirror}}
storage:
  filesystem: {rootdirectory: /var/lib/registry, maxthreads: 100}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}
http:
  addr: :5000
  secret: change-me
  headers: {X-Content-Type-Options: [nosniff]}
  debug: {addr: 127.0.0.1:5001, prometheus: {enabled: true, path: /metrics}}
  draintimeout: 30s
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
proxy:
  remoteurl: https://registry-1.docker.io
  username: u
  password: p
  ttl: 168h
"""

WRITABLE = r"""
version: 0.1
storage:
  s3: {region: eu-west-1, bucket: b, rootdirectory: /r, encrypt: true, chunksize: 33554432}
  redirect: {disable: false}
auth:
  token: {realm: "https://auth.example/token", service: reg, issuer: iss, rootcertbundle: /ca.pem}
notifications:
  endpoints:
    - {name: a, url: "https://e.example/cb", timeout: 500ms, threshold: 5, backoff: 1s,
       headers: {Authorization: [Bearer x]}, ignore: {actions: [pull], mediatypes: [application/octet-stream]}}
middleware:
  storage: [{name: redirect, options: {baseurl: "https://cdn.example/"}}]
validation:
  manifests: {urls: {allow: ["^https?://([^/]+\\.)*example\\.com/"], deny: []}}
"""

SECRETS = """
version: 0.1
log: {hooks: [{type: mail, options: {smtp: {password: [hunter2]}}}]}
storage:
  s3: {region: r, bucket: b, accesskey: {hunter2: b}, secretkey: hunter2, chunksize: 1}
  azure: {accountname: a, container: c, accountkey: hunter2, connectionstring: [hunter2], bad: hunter2}
  gcs: {bucket: b, credentials: hunter2}
  swift: {username: u, password: {a: hunter2}, authurl: 'https://u:hunter2@a'}
  oss: {accesskeysecret: hunter2, accesskeyid: [hunter2]}
http: {secret: {a: hunter2}, host: 'https://u:hunter2@a', headers: {A: hunter2}}
redis: {password: [hunter2], sentinelpassword: hunter2}
proxy: {remoteurl: ['https://u:hunter2@a'], username: u, password: [hunter2], token: hunter2, proxyurl: 'u:hunter2@a',
  upstreams: [{namespace: a.b, remoteurl: 'https://u:hunter2@a', password: hunter2, proxyurl: 'ftp://u:hunter2@a'}]}
reporting: {bugsnag: {apikey: {a: hunter2}, endpoint: 'x://u:hunter2@a'}, newrelic: {licensekey: hunter2}}
notifications: {endpoints: [{name: a, url: 'u:hunter2@a', headers: {Authorization: hunter2}}]}
health: {http: [{uri: 'u:hunter2@a', headers: {Authorization: [[hunter2]]}}]}
"""

SOUND_SECRETS = """
version: 0.1
storage: inmemory
http: {secret: hunter2}
proxy:
  remoteurl: https://a
  username: u
  password: hunter2
  proxyurl: http://u:hunter2@proxy
  upstreams: [{namespace: b, remoteurl: https://b, proxyurl: 'http://u:hunter2@proxy'}]
"""


def failure(argument: str | None, environ: dict[str, str]) -> str:
    """The one problem that keeps a file from being loaded."""
    with pytest.raises(ConfigurationError) as raised:
        load(argument, environ)
    (problem,) = raised.value.problems
    return str(problem)


def test_the_argument_comes_before_the_environment(tmp_path: Path) -> None:
    """The path is the argument's, else the variable's, under either prefix."""
    file = tmp_path / "config.yml"
    file.write_text(MINIMAL)

    assert load(str(file), {"REGISTRY_CONFIGURATION_PATH": "/nonexistent"}).path == str(file)
    assert load(None, {"REGISTRY_CONFIGURATION_PATH": str(file)}).path == str(file)
    assert load(None, {"ENTREPOT_CONFIGURATION_PATH": str(file), "REGISTRY_CONFIGURATION_PATH": ""}).path == str(file)


def test_without_a_path_there_is_nothing_to_load() -> None:
    """Locating says so with None, loading with a problem."""
    assert locate(None, {"REGISTRY_CONFIGURATION_PATH": ""}) is None
    assert failure(None, {}) == (
        "no configuration file is named, neither as the argument nor in REGISTRY_CONFIGURATION_PATH"
    )


def test_two_paths_are_a_problem() -> None:
    """The two variables must not name different files."""
    environ = {"REGISTRY_CONFIGURATION_PATH": "/a", "ENTREPOT_CONFIGURATION_PATH": "/b"}

    assert failure(None, environ) == (
        "REGISTRY_CONFIGURATION_PATH: ENTREPOT_CONFIGURATION_PATH means the same and has another value"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"a: \xff", "not UTF-8 text at byte 3"),
        (b"#" * (LONGEST_TEXT + 1), f"longer than {LONGEST_TEXT} bytes"),
        ("é".encode() * LONGEST_TEXT, f"longer than {LONGEST_TEXT} bytes"),
        (b"version: 0.1\nstorage: [", "line 2, column 11: expected the node content, but found '<stream end>'"),
        (b"\x00", "line 1, column 1: this character is not allowed in YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    """The line names the file and says what is wrong with it."""
    file = tmp_path / "config.yml"
    if content is not None:
        file.write_bytes(content)

    assert failure(str(file), {}) == f"{file}: {message}"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """As the operating system says."""
    assert failure(str(tmp_path), {}) == f"{tmp_path}: Is a directory"


def test_an_impossible_path_is_no_file() -> None:
    """A NUL character or the empty path names nothing, and the line stays one."""
    assert failure("a\0b", {}) == "a?b: embedded null byte"
    assert failure("", {}) == "No such file or directory"


def test_an_endless_file_is_read_only_so_far() -> None:
    """A device that never ends costs no more memory than the longest configuration."""
    assert failure("/dev/zero", {}) == f"/dev/zero: longer than {LONGEST_TEXT} bytes"


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    """A configuration may come from another program."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(MINIMAL,))
    writer.start()
    loaded = load(str(pipe), {})
    writer.join()

    assert loaded.configuration.storage.inmemory is not None


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """Some editors write one."""
    file = tmp_path / "config.yml"
    file.write_text(MINIMAL, encoding="utf-8-sig")

    assert load(str(file), {}).configuration.storage.inmemory is not None


def test_another_reader_can_be_given() -> None:
    """Whoever embeds the server may keep its configuration elsewhere."""
    assert load("anywhere", {}, lambda path: f"# {path}\n{MINIMAL}".encode()).path == "anywhere"


def test_all_problems_are_told_together() -> None:
    """Repeated and unknown keys, bad values, contradictions, what is not supported, and the environment's own."""
    text = """
version: 0.1
storage: {inmemory: , inmemory: , delete: {enabled: maybe}}
http: {adr: ':5000', addr: nowhere, tls: {key: k}}
log: {reportcaller: true}
"""
    environ = {"REGISTRY_TAGS_MAXTAGS": "many", "REGISTRY_CATALOG": "{", "REGISTRY_HTTP_NET": "udp"}
    with pytest.raises(ConfigurationError) as raised:
        parse(text, environ, SOURCE)

    assert sorted(str(raised.value).splitlines()) == [
        "REGISTRY_CATALOG: line 1, column 2: expected the node content, but found '<stream end>'",
        "REGISTRY_HTTP_NET: http.net: 'udp' is not one of tcp, unix",
        "REGISTRY_TAGS_MAXTAGS: tags.maxtags: needs a whole number",
        "config.yml: http.addr: 'nowhere' is not host:port",
        "config.yml: http.adr: unknown key, did you mean http.addr?",
        "config.yml: http.tls.certificate: certificate and key go together",
        "config.yml: storage.delete.enabled: needs true or false, without quotes",
        "config.yml: storage.inmemory: given more than once",
    ]


def test_a_problem_is_one_line_whatever_is_in_it() -> None:
    """Control characters in keys, values and names of variables do not break or hide a line."""
    text = 'version: 0.1\nstorage: inmemory\nlog: {level: "in\\nfo\\e[2J"}\n"ht\\ntp": 1'
    with pytest.raises(ConfigurationError) as raised:
        parse(text, {"REGISTRY_POLICY_REPOSITORY_CLASSES_\n\x1b": ""}, "con\nfig.yml")

    lines = [str(one) for one in raised.value.problems]

    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_the_sample_of_a_mirror_is_understood() -> None:
    """All of it."""
    assert configured(MIRROR).proxy.enabled


def test_the_sample_of_a_registry_needs_what_is_not_supported_yet() -> None:
    """Everything else in it is understood."""
    assert problems(WRITABLE) == [
        "storage.s3: is not supported yet",
    ]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yml")), ids=lambda path: path.name)
def test_every_example_can_be_served(example: Path) -> None:
    """They are what people begin with."""
    loaded = load(str(example), {})

    assert loaded.configuration.http.listener == ("127.0.0.1", 5000)
    assert loaded.configuration.storage.delete.enabled


def test_a_secret_is_made_up_where_none_is_given() -> None:
    """It is random, and a registry is warned that uploads do not outlive it; a mirror takes no uploads."""
    first, second = parse(MINIMAL, {}, SOURCE), parse(MINIMAL, {}, SOURCE)
    mirror = parse(f"{MINIMAL}proxy: {{remoteurl: 'https://a'}}", {}, SOURCE)

    assert secret_of(first) != secret_of(second)
    assert len(secret_of(mirror)) >= 32
    assert [one.partition(":")[0] for one in first.warnings] == ["http.secret"]
    assert mirror.warnings == ()


@pytest.mark.parametrize(
    ("proxy", "warned"),
    [
        ("upstreams: [{namespace: a, remoteurl: 'https://a'}]", False),
        ("remoteurl: 'https://a', local: [team/**]", True),
    ],
)
def test_whoever_takes_uploads_is_warned_without_a_secret(proxy: str, warned: bool) -> None:
    """A mirror takes them for repositories that live in it, and for no others."""
    assert bool(parse(f"{MINIMAL}proxy: {{{proxy}}}", {}, SOURCE).warnings) is warned


def test_whoever_collects_beside_redis_is_warned() -> None:
    """Others that read it are not told."""
    maintenance = "cache: {blobdescriptor: redis}, maintenance: {garbagecollect: {enabled: true}}"
    storage = f"storage: {{filesystem: {{rootdirectory: /d}}, {maintenance}}}"
    loaded = parse(minimal(f"{storage}\nhttp: {{secret: s}}\nredis: {{addr: 'a:1'}}"), {}, SOURCE)

    assert [one.partition(":")[0] for one in loaded.warnings] == ["storage.maintenance.garbagecollect"]


def test_a_secret_that_is_given_is_used() -> None:
    """And there is nothing to warn of."""
    loaded = parse(SOUND_SECRETS, {}, SOURCE)

    assert secret_of(loaded) == "hunter2"
    assert loaded.warnings == ()


def secret_of(loaded: Loaded) -> str:
    return loaded.configuration.http.secret.get_secret_value()


def test_no_problem_shows_a_secret() -> None:
    """Whatever is wrong with a password, a key or a URL, its text is not repeated, nor chained to the error."""
    with pytest.raises(ConfigurationError) as raised:
        parse(SECRETS, {"REGISTRY_HTTP_SECRET_FOO": "hunter2", "REGISTRY_PROXY_PASSWORD": "[hunter2"}, SOURCE)

    assert len(raised.value.problems) > 30
    assert "hunter2" not in str(raised.value) + repr(raised.value) + repr(raised.value.__context__)


def test_no_representation_shows_a_secret() -> None:
    """A configuration can be logged."""
    configuration = parse(SOUND_SECRETS, {}, SOURCE).configuration

    assert "hunter2" not in repr(configuration) + str(configuration) + repr(configuration.model_dump())
    assert "hunter2" not in repr(configuration.proxy.sources)
    assert configuration.proxy.password.get_secret_value() == "hunter2"
