"""Overrides from the environment, by the rules of Distribution."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.drivers import Filesystem, InMemory
from entrepot.config.load import parse
from entrepot.config.problems import ConfigurationError
from tests.unit.config.reading import MINIMAL, SOURCE, configured, every_key, problems

FILE = """
version: 0.1
log: {fields: {Service: file, nested: {a: b}}}
storage:
  filesystem: {rootdirectory: /file, maxthreads: 50}
  delete: {enabled: true}
http: {addr: ':5000', headers: {X-A: [a, b]}}
"""


def warnings(text: str, environ: dict[str, str]) -> tuple[str, ...]:
    """What the overrides alone are warned of."""
    return tuple(one for one in parse(text, environ, SOURCE).warnings if not one.startswith("http.secret"))


def sole_line(text: str, environ: dict[str, str]) -> str:
    """The one problem, with its source."""
    with pytest.raises(ConfigurationError) as raised:
        parse(text, environ, SOURCE)
    (problem,) = raised.value.problems
    return str(problem)


@pytest.mark.parametrize("prefix", ["REGISTRY_", "ENTREPOT_"])
def test_a_variable_overrides_the_file(prefix: str) -> None:
    """The name is the path in capitals, its steps joined by underscores, behind either prefix."""
    configuration = configured(FILE, {f"{prefix}HTTP_ADDR": ":6000", f"{prefix}LOG_ACCESSLOG_DISABLED": "true"})

    assert configuration.http.addr == ":6000"
    assert configuration.log.accesslog.disabled
    assert configuration.http.headers == {"X-A": ("a", "b")}


def test_a_whole_section_is_replaced_not_merged() -> None:
    """The last step's value is read as YAML and takes the place of all that was there."""
    configuration = configured(FILE, {"REGISTRY_HTTP": "{net: tcp}", "REGISTRY_LOG": ""})

    assert configuration.http.addr == ""
    assert configuration.http.headers == {}
    assert configuration.log.fields == {}


def test_a_section_is_set_before_its_parts() -> None:
    """Variables are taken in the order of their names."""
    environ = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/part", "REGISTRY_STORAGE": "filesystem"}

    assert configured(FILE, environ).storage.filesystem == Filesystem(rootdirectory="/part")


def test_a_bare_word_replaces_all_of_storage() -> None:
    """`REGISTRY_STORAGE=inmemory` loses what the file says of deletion."""
    storage = configured(FILE, {"REGISTRY_STORAGE": "inmemory"}).storage

    assert storage.driver == InMemory()
    assert not storage.delete.enabled


def test_a_second_driver_from_the_environment_is_a_problem_of_the_variable() -> None:
    """`REGISTRY_STORAGE_INMEMORY` beside a file's filesystem does not replace it."""
    assert sole_line(FILE, {"REGISTRY_STORAGE_INMEMORY": "{}"}) == (
        "REGISTRY_STORAGE_INMEMORY: storage.inmemory: only one storage driver may be given, "
        "and there is filesystem already"
    )
    assert problems(FILE, {"REGISTRY_STORAGE_S3_BUCKET": "b"})[0].startswith("storage.s3: only one storage driver")


def test_the_usual_variables_work() -> None:
    """Those that images and charts of Distribution set."""
    configuration = configured(
        MINIMAL,
        {
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_STORAGE_REDIRECT_DISABLE": "true",
            "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "inmemory",
            "REGISTRY_PROXY_REMOTEURL": "https://registry-1.docker.io",
            "REGISTRY_HTTP_DRAINTIMEOUT": "30s",
            "REGISTRY_LOG_LEVEL": "debug",
        },
    )

    assert configuration.storage.delete.enabled
    assert configuration.storage.redirect.disable
    assert configuration.storage.cache.descriptors == "inmemory"
    assert configuration.proxy.remoteurl == ("https://registry-1.docker.io",)
    assert configuration.http.draintimeout == 30.0
    assert configuration.level == "debug"


def test_auth_is_built_from_several_variables() -> None:
    """The bare word makes the section and the others fill it."""
    environ = {
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "realm",
        "REGISTRY_AUTH_HTPASSWD_PATH": "/auth/htpasswd",
    }

    htpasswd = configured(MINIMAL, environ).auth.htpasswd

    assert htpasswd is not None
    assert (htpasswd.realm, htpasswd.path) == ("realm", "/auth/htpasswd")


def test_checks_are_named_otherwise_than_their_keys() -> None:
    """Distribution goes by the names of its own structures."""
    environ = {
        "REGISTRY_HEALTH_FILECHECKERS_0_FILE": "/file",
        "REGISTRY_HEALTH_HTTPCHECKERS_0_URI": "https://example.org",
        "REGISTRY_HEALTH_TCPCHECKERS_0_ADDR": "a:1",
    }

    health = configured(MINIMAL, environ).health

    assert [one.file for one in health.file] == ["/file"]
    assert [one.uri for one in health.http] == ["https://example.org"]
    assert [one.addr for one in health.tcp] == ["a:1"]


@pytest.mark.parametrize("section", ["", "maintenance: {readonly: {enabled: false}}"])
def test_readonly_can_be_set_by_its_full_name(section: str) -> None:
    """Distribution panics over this variable, or ignores it; both ways of saying it work here."""
    text = f"version: 0.1\nstorage: {{inmemory: {{}}, {section}}}"

    for environ in (
        {"REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED": "true"},
        {"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}"},
    ):
        assert configured(text, environ).storage.maintenance.readonly.enabled


def test_lists_and_maps_are_set_whole_by_flow_text() -> None:
    """YAML's short forms fit on a line."""
    environ = {"REGISTRY_HTTP_HEADERS": "{X-B: [c]}", "REGISTRY_POLICY_REPOSITORY_CLASSES": "[image, plugin]"}
    configuration = configured(FILE, environ)

    assert configuration.http.headers == {"X-B": ("c",)}
    assert configuration.policy.repository.classes == ("image", "plugin")


def test_lists_are_set_by_position() -> None:
    """An existing position is replaced, the next free one is added."""
    environ = {
        "REGISTRY_HTTP_HEADERS_X-A_1": "c",
        "REGISTRY_HTTP_HEADERS_X-A_2": "d",
        "REGISTRY_POLICY_REPOSITORY_CLASSES_0": "image",
        "REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW_0": "'^https:'",
    }
    configuration = configured(FILE, environ)

    assert configuration.http.headers == {"X-A": ("a", "c", "d")}
    assert configuration.policy.repository.classes == ("image",)
    assert [bool(one.match("https:")) for one in configuration.validation.manifests.urls.allow] == [True]


def test_positions_are_taken_in_the_order_of_numbers() -> None:
    """A list of more than ten items can be built: 10 comes after 9, not after 1."""
    environ = {f"REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW_{position}": f"'^{position}$'" for position in range(13)}
    allowed = configured(MINIMAL, environ).validation.manifests.urls.allow

    assert [bool(pattern.match(str(position))) for position, pattern in enumerate(allowed)] == [True] * 13


def test_sections_in_lists_are_built_by_position() -> None:
    """A position may be followed by the item's own keys."""
    environ = {
        "REGISTRY_NOTIFICATIONS_ENDPOINTS_0_NAME": "a",
        "REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL": "https://example.org",
        "REGISTRY_MIDDLEWARE_STORAGE_0": "{name: redirect, options: {baseurl: 'https://example.org'}}",
    }

    configuration = configured(MINIMAL, environ)
    assert [one.name for one in configuration.notifications.endpoints] == ["a"]
    assert [one.options.baseurl for one in configuration.middleware.storage] == ["https://example.org"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("REGISTRY_POLICY_REPOSITORY_CLASSES_1", "position 1 in its name is beyond the end of a list of 0"),
        ("REGISTRY_POLICY_REPOSITORY_CLASSES_X", "'X' in its name is not a position in a list"),
        ("REGISTRY_POLICY_REPOSITORY_CLASSES_", "'' in its name is not a position in a list"),
        ("REGISTRY_POLICY_REPOSITORY_CLASSES_-1", "'-1' in its name is not a position in a list"),
    ],
)
def test_a_list_has_no_other_places(name: str, message: str) -> None:
    """A position that cannot be is a problem of the variable."""
    assert sole_line(MINIMAL, {name: "image"}) == f"{name}: {message}"


def test_map_keys_are_found_in_any_case_on_the_way_only() -> None:
    """A last step always makes a key in lower case, so that `Service` stays beside `service`."""
    environ = {"REGISTRY_LOG_FIELDS_SERVICE": "environment", "REGISTRY_LOG_FIELDS_NESTED_A": "5"}

    assert configured(FILE, environ).log.fields == {"Service": "file", "service": "environment", "nested": {"a": 5}}


def test_untyped_values_are_typed_by_yaml_and_quotes_make_text() -> None:
    """In log.fields a bare 5 is a number, and true a boolean."""
    environ = {"REGISTRY_LOG_FIELDS_A": "5", "REGISTRY_LOG_FIELDS_B": "'5'", "REGISTRY_LOG_FIELDS_C": "true"}

    assert configured(MINIMAL, environ).log.fields == {"a": 5, "b": "5", "c": True}


def test_drivers_are_found_in_any_case() -> None:
    """Below storage, keys match whatever their case: it is a map in Distribution."""
    assert configured(MINIMAL, {"REGISTRY_STORAGE_InMemory": ""}).storage.driver == InMemory()


@pytest.mark.parametrize("segments", ["REDIS_OPTIONS_ADDRS", "REDIS_ADDRS"])
def test_options_of_redis_have_two_names(segments: str) -> None:
    """Its options are inlined in Distribution's structures."""
    assert configured(MINIMAL, {f"REGISTRY_{segments}": "['a:1']"}).redis.addrs == ("a:1",)


def test_events_are_configured_by_distributions_name() -> None:
    """`EVENTCONFIG`, whatever the key is called."""
    environ = {"REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES": "true"}

    assert configured(MINIMAL, environ).notifications.events.includereferences


def test_the_signing_key_is_configured_by_distributions_name() -> None:
    """`TRUSTKEY`, whatever the key is called."""
    environ = {"REGISTRY_COMPATIBILITY_SCHEMA1_TRUSTKEY": "/key.pem"}

    assert configured(MINIMAL, environ).compatibility.schema1.signingkeyfile == "/key.pem"


@pytest.mark.parametrize(
    "name",
    [
        "REGISTRY_HEALTH_FILE",
        "REGISTRY_COMPATIBILITY_SCHEMA1_SIGNINGKEYFILE",
        "REGISTRY_NOTIFICATIONS_EVENTS",
        "REGISTRY_REDIS_OPTIONS",
        "REGISTRY_PORT",
        "REGISTRY_PORT_5000_TCP_ADDR",
        "REGISTRY_SERVICE_HOST",
        "REGISTRY_http_addr",
        "REGISTRY_HTTP__ADDR",
        "REGISTRY_STORAGE_",
        "REGISTRY_HTTP_ADDR_X",
        "REGISTRY_VERSION",
        "REGISTRY_",
        "REGISTRY_LOG_FIELDS" + "_A" * 40,
    ],
)
def test_what_is_no_setting_is_ignored_with_a_warning(name: str) -> None:
    """Orchestrators set such variables for their own ends; their values, sound or not, do not matter."""
    assert [one.partition(",")[0] for one in warnings(MINIMAL, {name: "{"})] == [f"{name}: not the name of a setting"]


def test_a_near_miss_is_suggested() -> None:
    """The warning names the variable that was probably meant."""
    assert warnings(MINIMAL, {"ENTREPOT_HTTP_ADR": ":1", "REGISTRY_HTPT_ADDR": ":1"}) == (
        "REGISTRY_HTPT_ADDR: not the name of a setting, ignored, did you mean REGISTRY_HTTP_ADDR?",
        "ENTREPOT_HTTP_ADR: not the name of a setting, ignored, did you mean ENTREPOT_HTTP_ADDR?",
    )


def test_other_variables_are_not_looked_at() -> None:
    """Names begin with the prefix, in capitals; the path of the file is no setting."""
    environ = {"registry_http_addr": "{", "XREGISTRY_HTTP_ADDR": "{", "REGISTRYHTTP": "{", "PATH": "{"}

    assert warnings(MINIMAL, {**environ, "REGISTRY_CONFIGURATION_PATH": "{", "ENTREPOT_CONFIGURATION_PATH": "["}) == ()


def test_the_version_is_the_files_own() -> None:
    """A file without one does not get it from the environment."""
    assert problems("storage: inmemory", {"REGISTRY_VERSION": "0.1"}) == ["version: required"]


def test_both_prefixes_may_agree_but_not_differ() -> None:
    """The same setting with two values is a problem, which names both variables and shows neither value."""
    agreed = {"REGISTRY_HTTP_SECRET": "hunter2", "ENTREPOT_HTTP_SECRET": "hunter2"}

    assert configured(MINIMAL, agreed).http.secret.get_secret_value() == "hunter2"
    assert sole_line(MINIMAL, {**agreed, "ENTREPOT_HTTP_SECRET": "hunter3"}) == (
        "REGISTRY_HTTP_SECRET: ENTREPOT_HTTP_SECRET means the same and has another value"
    )


def test_what_is_no_setting_may_differ() -> None:
    """Two services named registry and entrepot are no contradiction."""
    assert len(warnings(MINIMAL, {"REGISTRY_PORT": "a", "ENTREPOT_PORT": "b"})) == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[::]:5000", "line 1, column 2: "),
        ("{a: b, a: c}", "a key is given more than once"),
        ("*a", "line 1, column 1: an alias"),
        ("a\udcff", "line 1, column 2: this character is not allowed"),
    ],
)
def test_a_value_that_is_not_yaml_is_a_problem_of_the_variable(value: str, message: str) -> None:
    """Colons and braces need quotes, as in a file."""
    assert sole_line(MINIMAL, {"REGISTRY_HTTP_ADDR": value}).startswith(f"REGISTRY_HTTP_ADDR: {message}")


def test_a_bad_value_is_a_problem_of_its_variable_and_its_path() -> None:
    """The file is blamed only for what the file says."""
    environ = {"REGISTRY_HTTP_ADDR": "nowhere", "REGISTRY_LOG": "{level: loud}", "REGISTRY_HTTP_FOO_BAR": "x"}
    with pytest.raises(ConfigurationError) as raised:
        parse(f"{MINIMAL}tags: {{maxtags: -1}}", environ, SOURCE)

    assert {(one.source, one.path) for one in raised.value.problems} == {
        ("REGISTRY_HTTP_ADDR", "http.addr"),
        ("REGISTRY_LOG", "log.level"),
        (SOURCE, "tags.maxtags"),
    }


def test_a_section_that_is_none_in_the_file_stays_a_problem() -> None:
    """An override does not hide that the file is wrong."""
    assert sole_line(f"{MINIMAL}http: 5000", {"REGISTRY_HTTP_ADDR": ":5000"}) == (
        "config.yml: http: needs a mapping of settings"
    )


def test_a_list_that_is_none_in_the_file_stays_a_problem() -> None:
    """Nor does naming a position make a list of it."""
    text = f"{MINIMAL}policy: {{repository: {{classes: image}}}}"

    assert sole_line(text, {"REGISTRY_POLICY_REPOSITORY_CLASSES_0": "image"}) == (
        "config.yml: policy.repository.classes: needs a list"
    )


def test_an_override_through_an_alias_changes_one_place() -> None:
    """Branches that an alias shares in the file are separate settings."""
    text = f"{MINIMAL}log: {{fields: {{a: &a {{x: 1}}, b: *a}}}}"

    assert configured(text, {"REGISTRY_LOG_FIELDS_A_X": "2"}).log.fields == {"a": {"x": 2}, "b": {"x": 1}}


NAMES = sorted({part for path, _ in every_key() for part in path.replace("[]", ".0").upper().split(".")})
SEGMENTS = st.sampled_from(NAMES) | st.sampled_from(["", "0", "1", "X", "OPTIONS", "EVENTCONFIG"])
VALUES = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "true",
        "5",
        "10s",
        "[a]",
        "[[1]]",
        "{a: b}",
        "{a: [{b: c}]}",
        "{}",
        "inmemory",
        ":5000",
        "a:5000",
        "*",
        "https://a",
    ]
)
ENVIRONMENTS = st.dictionaries(
    st.builds("_".join, st.tuples(st.sampled_from(["REGISTRY", "ENTREPOT"]), SEGMENTS, SEGMENTS, SEGMENTS))
    | st.builds("_".join, st.tuples(st.just("REGISTRY"), SEGMENTS, SEGMENTS))
    | st.builds("_".join, st.tuples(st.just("REGISTRY"), SEGMENTS, SEGMENTS, SEGMENTS, SEGMENTS))
    | st.text(max_size=10).map("REGISTRY_{}".format),
    VALUES,
    max_size=6,
)


@given(ENVIRONMENTS)
def test_any_environment_gives_a_configuration_or_problems(environ: dict[str, str]) -> None:
    """Nothing but ConfigurationError is raised, and every problem and warning is one line."""
    result = outcome(environ)
    lines = [*result.problems, *result.warnings]

    assert (result.settings is None) == bool(result.problems)
    assert all(len(line.splitlines()) == 1 for line in lines)


@given(st.dictionaries(st.sampled_from(["HTTP_ADDR", "LOG_LEVEL", "STORAGE", "HTTP", "LOG"]), VALUES, min_size=1))
def test_the_order_of_the_environment_does_not_matter(values: dict[str, str]) -> None:
    """Variables have no order, so that only their names may decide."""
    environ = {f"REGISTRY_{rest}": value for rest, value in values.items()}

    assert outcome(environ) == outcome(dict(reversed(environ.items())))


class Outcome(NamedTuple):
    """What comes of an environment: settings, without the random secret, or problems."""

    settings: object
    problems: list[str]
    warnings: tuple[str, ...]


def outcome(environ: dict[str, str]) -> Outcome:
    try:
        loaded = parse(FILE, environ, SOURCE)
    except ConfigurationError as error:
        return Outcome(None, list(map(str, error.problems)), ())
    return Outcome(loaded.configuration.model_dump(exclude={"http": {"secret"}}), [], loaded.warnings)
