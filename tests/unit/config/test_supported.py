"""Settings that are understood but not acted on yet."""

from __future__ import annotations

import pytest

from entrepot.config.root import Configuration
from entrepot.config.section import section_at
from entrepot.config.supported import NOT_YET
from tests.unit.config.reading import configured, minimal, problems

AZURE = "accountname: a, container: c, credentials: {type: client_secret, clientid: i, tenantid: t, secret: s}"

GIVEN = [
    ("storage: {s3: {region: r, bucket: b}}", "storage.s3"),
    ("storage: {s3aws: {region: r, bucket: b, secure: 'true', chunksize: '5242880'}}", "storage.s3aws"),
    ("storage: {s3goamz: {region: r, bucket: b}}", "storage.s3goamz"),
    ("storage: {azure: {accountname: a, container: c, retry_delay: 1s, max_retries: 2}}", "storage.azure"),
    ("storage: {gcs: {bucket: b, chunksize: 524288, credentials: {type: service_account}}}", "storage.gcs"),
    ("storage: {azure: {accountname: a, container: c, credentials: {type: default_credentials}}}", "storage.azure"),
    (f"storage: {{azure: {{{AZURE}, serviceurl: 'https://a'}}}}", "storage.azure"),
    ("storage: {s3: {regionendpoint: 'http://a', bucket: b, redirectendpoint: 'https://cdn'}}", "storage.s3"),
    ("storage: {swift: {username: u, password: p, authurl: 'https://a/v3', container: c}}", "storage.swift"),
    ("storage: {oss: {accesskeyid: i, accesskeysecret: s, region: r, bucket: b}}", "storage.oss"),
]

ASKS_NOTHING = [
    "log: {reportcaller: false, hooks: []}",
    "storage: {inmemory: , cache: {}}",
    "middleware: {}",
    "middleware: {storage: []}",
    "reporting: {bugsnag: {apikey: ''}}",
    "http: {tls: {clientcas: [], letsencrypt: {}}}",
    "notifications: {endpoints: [], events: {includereferences: false}}",
    "redis: {}",
    "compatibility: {schema1: {enabled: false}}",
    "validation: {manifests: {indexes: {platforms: all}}}",
]


@pytest.mark.parametrize(("text", "path"), GIVEN)
def test_what_is_not_supported_yet_is_said_so(text: str, path: str) -> None:
    """A sound setting that nothing acts on stops the start with one line, also when its entry is disabled."""
    found = problems(minimal(text))

    assert f"{path}: is not supported yet" in found
    assert all(one.endswith("is not supported yet") for one in found)


@pytest.mark.parametrize("text", ASKS_NOTHING)
def test_what_asks_for_nothing_is_accepted(text: str) -> None:
    """A default or a switch turned off needs no feature."""
    assert configured(minimal(text)).version == "0.1"


@pytest.mark.parametrize("text", ["storage: s3", "storage: {s3: }"])
def test_a_name_without_parameters_is_not_supported_either(text: str) -> None:
    """Besides the parameters that are missing."""
    assert any(one.endswith("s3: is not supported yet") for one in problems(minimal(text)))


@pytest.mark.parametrize("dotted", NOT_YET)
def test_every_listed_path_is_a_setting(dotted: str) -> None:
    """A path that no model has would guard nothing."""
    *above, key = dotted.split(".")
    section = section_at(Configuration, tuple(above))

    assert section is not None
    assert key in section.by_key()


def test_a_bad_value_elsewhere_does_not_hide_what_is_missing() -> None:
    """Both are told, and a default is still a default."""
    assert problems(minimal("http: {addr: x}\nstorage: {gcs: {bucket: b}}\nredis: {}")) == [
        "http.addr: 'x' is not host:port",
        "storage.gcs: is not supported yet",
    ]
