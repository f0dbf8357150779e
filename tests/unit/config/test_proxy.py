"""The section proxy: what is inherited, what contradicts what, and how it is set from the environment."""

from __future__ import annotations

import pickle

import pytest

from entrepot.config.proxy import Proxy
from entrepot.config.sizes import Share
from tests.unit.config.reading import MINIMAL, configured, problems

DAY = 24 * 3600.0
HUB = "remoteurl: 'https://registry-1.docker.io'"
GHCR = "{namespace: ghcr.io, remoteurl: 'https://ghcr.io'}"

EVERYTHING = r"""
proxy:
  remoteurl: https://registry-1.docker.io/
  username: user
  password: hunter2
  ttl: 30d
  maxsize: 200GiB
  minfree: 5%
  freshness: {default: 1m, rules: [{tags: '^v?\d+\.\d+\.\d+$', for: 24h}, {tags: nightly, for: 1w}]}
  stale: 1w
  deadline: 500ms
  local: ["team/**"]
  proxyurl: http://user:hunter2@proxy:3128
  upstreams:
    - namespace: ghcr.io
      remoteurl: [https://ghcr.io, https://standby.example.org/ghcr/]
    - namespace: registry:5000
      remoteurl: https://registry:5000
      exec: {command: helper, lifetime: 0}
      ttl: 0
      maxsize: 1GB
      freshness: {}
      stale: 0
      deadline: 1s
      allow: ["a/*"]
      deny: ["a/b"]
      realms: [auth.example.org]
      ca: ca.pem
      clientcert: client.pem
"""


def proxy(text: str) -> Proxy:
    """The section with `text` in it."""
    return configured(f"{MINIMAL}proxy: {{{text}}}").proxy


def wrong(text: str) -> list[str]:
    """Every problem of the section with `text` in it."""
    return [one.removeprefix("proxy.") for one in problems(f"{MINIMAL}proxy: {{{text}}}")]


def test_the_root_comes_first_and_has_no_namespace() -> None:
    """Its settings are the section's own."""
    section = configured(MINIMAL + EVERYTHING).proxy
    root = section.sources[0]

    assert section.enabled
    assert (root.namespace, root.component, root.domain) == ("", "", "docker.io")
    assert root.remoteurl == ("https://registry-1.docker.io",)
    assert (root.username, root.password.get_secret_value()) == ("user", "hunter2")
    assert root.proxyurl.get_secret_value() == "http://user:hunter2@proxy:3128"
    assert (root.ttl, section.maxsize, root.stale, root.deadline) == (30 * DAY, 200 * 2**30, 7 * DAY, 0.5)
    assert section.minfree == Share(percent=5)
    assert [bool(one.search("team/a")) for one in section.local] == [True]


def test_a_further_upstream_inherits_times_and_nothing_else() -> None:
    """Credentials and bounds are each registry's own."""
    section = configured(MINIMAL + EVERYTHING).proxy
    ghcr = section.sources[1]

    assert (ghcr.namespace, ghcr.component, ghcr.domain) == ("ghcr.io", "ghcr.io", "ghcr.io")
    assert ghcr.remoteurl == ("https://ghcr.io", "https://standby.example.org/ghcr")
    assert (ghcr.ttl, ghcr.stale, ghcr.deadline, ghcr.freshness) == (30 * DAY, 7 * DAY, 0.5, section.freshness)
    assert (ghcr.username, ghcr.maxsize, ghcr.proxyurl.get_secret_value()) == ("", 0, "")


def test_a_further_upstream_may_say_otherwise() -> None:
    """Zero and an empty freshness are said as well."""
    own = configured(MINIMAL + EVERYTHING).proxy.sources[2]

    assert (own.namespace, own.component, own.domain) == ("registry:5000", "registry_5000", "registry:5000")
    assert (own.ttl, own.maxsize, own.stale, own.deadline) == (0, 10**9, 0, 1)
    assert (own.freshness.default, own.freshness.rules) == (0, ())
    assert own.exec is not None
    assert (own.exec.command, own.exec.lifetime) == ("helper", 0)
    assert [bool(one.search("a/b")) for one in (*own.allow, *own.deny)] == [True, True]
    assert (own.realms, own.ca, own.clientcert) == (("auth.example.org",), "ca.pem", "client.pem")


def test_freshness_is_a_period_for_tags() -> None:
    """In seconds, under the key `for`."""
    freshness = configured(MINIMAL + EVERYTHING).proxy.freshness

    assert freshness.default == 60
    assert [(bool(one.tags.search("v1.2.3")), one.period) for one in freshness.rules] == [(True, DAY), (False, 7 * DAY)]


def test_there_need_not_be_a_root() -> None:
    """With upstreams alone, only those are mirrored."""
    section = proxy(f"ttl: 1h, local: ['**'], minfree: 1GiB, upstreams: [{GHCR}]")

    assert section.enabled
    assert [(source.namespace, source.ttl) for source in section.sources] == [("ghcr.io", 3600)]


@pytest.mark.parametrize("text", ["", "upstreams: []", "remoteurl: ''", "remoteurl: []"])
def test_nothing_is_mirrored_unless_something_is_named(text: str) -> None:
    """An empty list and an empty text name nothing."""
    section = proxy(text)

    assert not section.enabled
    assert section.sources == ()


def test_sources_can_be_sent_to_another_process_and_show_no_secret() -> None:
    """As the whole configuration."""
    sources = configured(MINIMAL + EVERYTHING).proxy.sources

    assert pickle.loads(pickle.dumps(sources)) == sources
    assert "hunter2" not in repr(sources) + str(sources)


@pytest.mark.parametrize(
    ("urls", "domain"),
    [
        ("'https://quay.io'", "quay.io"),
        ("['https://mirror.example.org', 'https://index.docker.io']", "docker.io"),
        ("['https://mirror.example.org:5000', 'https://quay.io']", "mirror.example.org:5000"),
    ],
)
def test_the_roots_domain_is_its_first_host_or_docker_hub(urls: str, domain: str) -> None:
    """A mirror of Docker Hub before Docker Hub itself is Docker Hub still."""
    assert proxy(f"remoteurl: {urls}").sources[0].domain == domain


@pytest.mark.parametrize(
    ("text", "seconds"), [("168h", 168 * 3600.0), ("7d", 7 * DAY), ("0", 0.0), ("-1s", -1.0), ("60000000000", 60.0)]
)
def test_a_ttl_is_distributions_with_days(text: str, seconds: float) -> None:
    """A bare number is nanoseconds, and a negative one for ever."""
    assert proxy(f"{HUB}, ttl: {text}").ttl == seconds


NEEDS_ROOT = "has no effect without remoteurl; each of upstreams takes its own"

CHECKS = [
    # what needs a root
    ("ttl: 1h", ["remoteurl: required where another key of proxy is given"]),
    ("minfree: 5%", ["remoteurl: required where another key of proxy is given"]),
    ("local: [a]", ["remoteurl: required where another key of proxy is given"]),
    ("maxsize: 1GB, upstreams: []", ["remoteurl: required where another key of proxy is given"]),
    *(
        (f"{key}: {value}, upstreams: [{GHCR}]", [f"{key}: {NEEDS_ROOT}"])
        for key, value in [
            *(("exec", "{command: c}"), ("realms", "[a]"), ("proxyurl", "'http://a'")),
            *(("dockerconfig", "c"), ("ca", "c"), ("clientcert", "c"), ("allow", "[a]"), ("deny", "[a]")),
        ]
    ),
    # credentials
    (
        f"{HUB}, username: u, password: p, exec: {{command: c}}, dockerconfig: c",
        [
            "exec: only one source of credentials may be given, and there is username already",
            "dockerconfig: only one source of credentials may be given, and there is username already",
        ],
    ),
    (
        f"{HUB}, exec: {{command: c}}, dockerconfig: c",
        ["dockerconfig: only one source of credentials may be given, and there is exec already"],
    ),
    (
        "upstreams: [{namespace: a, remoteurl: 'https://a', username: u, dockerconfig: c}]",
        [
            "upstreams[0].password: username and password go together",
            "upstreams[0].dockerconfig: only one source of credentials may be given, and there is username already",
        ],
    ),
    # TLS
    (
        "remoteurl: 'http://a', ca: c, clientcert: c",
        [f"{key}: has no effect on a remoteurl that begins with http://" for key in ("ca", "clientcert")],
    ),
    (
        "upstreams: [{namespace: a, remoteurl: ['HTTP://a', 'http://b'], ca: c}]",
        ["upstreams[0].ca: has no effect on a remoteurl that begins with http://"],
    ),
    # URLs
    (
        "remoteurl: ['https://a', 'ftp://b']",
        ["remoteurl[1]: needs a URL that begins with http:// or https:// and names a host"],
    ),
    ("remoteurl: ['https://a', '']", ["remoteurl: holds an empty URL"]),
    ("remoteurl: ['https://a', 'https://a/']", ["remoteurl: holds a URL more than once"]),
    ("remoteurl: {a: b}", ["remoteurl: needs a list"]),
    ("remoteurl: ['https://u:hunter2@a']", ["remoteurl[0]: credentials do not belong in this URL"]),
    (f"{HUB}, proxyurl: 'socks5://a'", ["proxyurl: needs a URL that begins with http:// or https:// and names a host"]),
    (f"{HUB}, proxyurl: 'http://a/b'", ["proxyurl: takes a scheme, credentials and a host only, no path"]),
    # upstreams
    ("upstreams: [{remoteurl: 'https://a'}]", ["upstreams[0].namespace: required"]),
    ("upstreams: [{namespace: a}]", ["upstreams[0].remoteurl: required"]),
    ("upstreams: [{namespace: a, remoteurl: ''}]", ["upstreams[0].remoteurl: must not be empty"]),
    ("upstreams: [{namespace: a, remoteurl: 'https://a', minfree: 5%}]", ["upstreams[0].minfree: unknown key"]),
    ("upstreams: [{namespace: a, remoteurl: 'https://a', local: [a]}]", ["upstreams[0].local: unknown key"]),
    ("upstreams: {a: b}", ["upstreams: needs a list"]),
    ("upstreams: [a]", ["upstreams[0]: needs a mapping of settings"]),
    (f"upstreams: [{GHCR}, {GHCR}]", ["upstreams: 'ghcr.io' of upstreams[1] is what upstreams[0] is already"]),
    (
        "remoteurl: 'https://ghcr.io:443/', upstreams: [" + GHCR + "]",
        ["upstreams: 'ghcr.io' of upstreams[0] is what remoteurl is already"],
    ),
    (
        f"{HUB}, upstreams: [{{namespace: docker.io, remoteurl: 'https://a'}}]",
        ["upstreams: 'docker.io' of upstreams[0] is what remoteurl is already"],
    ),
    (
        f"{HUB}, upstreams: [{{namespace: index.docker.io, remoteurl: 'https://a'}}]",
        ["upstreams: 'index.docker.io' of upstreams[0] is what remoteurl is already"],
    ),
    # values
    (f"{HUB}, maxsize: -1GB", ["maxsize: must not be negative"]),
    (f"{HUB}, maxsize: 5%", ["maxsize: '5%' is not a size such as 200GiB, 10MB or a number of bytes"]),
    (f"{HUB}, minfree: 100%", ["minfree: must be less than 100%"]),
    (f"{HUB}, stale: 5", ["stale: '5' is not a duration such as 10s, 1h30m or 30d"]),
    (f"{HUB}, stale: -1d", ["stale: must not be negative"]),
    (f"{HUB}, deadline: 0", ["deadline: must be longer than 0"]),
    (f"{HUB}, ttl: soon", ["ttl: 'soon' is not a duration such as 10s, 1h30m or 30d"]),
    (f"{HUB}, freshness: 5s", ["freshness: needs a mapping of settings"]),
    (f"{HUB}, freshness: {{rules: [{{tags: a}}]}}", ["freshness.rules[0].for: required"]),
    (
        f"{HUB}, freshness: {{rules: [{{tags: '(', for: x}}]}}",
        [
            "freshness.rules[0].tags: is not a regular expression: missing ), unterminated subpattern at position 0",
            "freshness.rules[0].for: 'x' is not a duration such as 10s, 1h30m or 30d",
        ],
    ),
    (f"{HUB}, local: [a//b]", ["local[0]: 'a//b' is not a pattern of repositories such as library/*, team/** or *"]),
    (f"{HUB}, allow: a", ["allow: needs a list"]),
    # not yet
]


@pytest.mark.parametrize(("text", "expected"), CHECKS)
def test_a_check_has_its_line(text: str, expected: list[str]) -> None:
    """Each problem is told once, with its path, and shows no URL."""
    assert wrong(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "remoteurl: ['http://a', 'https://b'], ca: c",
        "remoteurl: '', upstreams: [{namespace: docker.io, remoteurl: 'https://registry-1.docker.io'}]",
        "remoteurl: 'https://a:5000', upstreams: [{namespace: a, remoteurl: 'https://a'}]",
        f"{HUB}, minfree: 0, maxsize: 0, stale: 0, freshness: , proxyurl: '', upstreams: ",
    ],
)
def test_what_is_no_contradiction_is_taken(text: str) -> None:
    """One URL with TLS is enough for a certificate, and another port is another registry."""
    assert proxy(text).enabled


def test_upstreams_are_set_from_the_environment() -> None:
    """By position, down to the lists within one; the text of remoteurl is a list of one."""
    section = configured(
        MINIMAL,
        {
            "REGISTRY_PROXY_REMOTEURL": "https://registry-1.docker.io",
            "REGISTRY_PROXY_MAXSIZE": "10GiB",
            "REGISTRY_PROXY_FRESHNESS_RULES_0_TAGS": "'^v'",
            "REGISTRY_PROXY_FRESHNESS_RULES_0_FOR": "1d",
            "REGISTRY_PROXY_LOCAL_0": "'team/**'",
            "REGISTRY_PROXY_UPSTREAMS_0_NAMESPACE": "ghcr.io",
            "REGISTRY_PROXY_UPSTREAMS_0_REMOTEURL_0": "https://ghcr.io",
            "REGISTRY_PROXY_UPSTREAMS_0_REMOTEURL_1": "https://standby.example.org",
            "REGISTRY_PROXY_UPSTREAMS_0_FRESHNESS_DEFAULT": "5m",
            "REGISTRY_PROXY_UPSTREAMS_1": "{namespace: quay.io, remoteurl: 'https://quay.io', realms: [a.b]}",
        },
    ).proxy
    hub, ghcr, quay = section.sources

    assert (hub.remoteurl, section.maxsize) == (("https://registry-1.docker.io",), 10 * 2**30)
    assert [one.period for one in hub.freshness.rules] == [DAY]
    assert len(section.local) == 1
    assert (ghcr.namespace, ghcr.freshness.default) == ("ghcr.io", 300)
    assert ghcr.remoteurl == ("https://ghcr.io", "https://standby.example.org")
    assert (quay.namespace, quay.realms) == ("quay.io", ("a.b",))


def test_an_upstream_of_the_file_is_overridden_by_its_position() -> None:
    """The rest of it stays."""
    environ = {"REGISTRY_PROXY_UPSTREAMS_0_REMOTEURL": "http://127.0.0.1:5001"}
    source = configured(f"{MINIMAL}proxy: {{upstreams: [{GHCR}]}}", environ).proxy.sources[0]

    assert (source.namespace, source.remoteurl) == ("ghcr.io", ("http://127.0.0.1:5001",))
