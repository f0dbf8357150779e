"""That the models know every key of Distribution and of mirrors, and give each its default."""

from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from entrepot.config.load import default_text
from entrepot.config.root import Configuration
from entrepot.config.sizes import Share
from tests.unit.config.reading import MINIMAL, configured, every_key, minimal, problems

S3 = """accesskey secretkey region regionendpoint forcepathstyle bucket encrypt keyid secure skipverify v4auth chunksize
    multipartcopychunksize multipartcopymaxconcurrency multipartcopythresholdsize rootdirectory storageclass objectacl
    useragent usedualstack accelerate loglevel usefipsendpoint redirectendpoint"""
S3GOAMZ = "accesskey secretkey region bucket encrypt secure v4auth chunksize rootdirectory storageclass"
REDIS = """addr addrs password db dialtimeout readtimeout writetimeout pool.maxidle pool.maxactive pool.idletimeout
    clientname protocol username sentinelusername sentinelpassword maxretries minretrybackoff maxretrybackoff
    contexttimeoutenabled poolfifo poolsize pooltimeout minidleconns maxidleconns maxactiveconns connmaxidletime
    connmaxlifetime maxredirects readonly routebylatency routerandomly mastername disableidentity identitysuffix
    unstableresp3 tls.certificate tls.key tls.clientcas tls.rootcas"""

UPSTREAM = """remoteurl username password exec.command exec.lifetime dockerconfig realms ca clientcert proxyurl ttl
    maxsize freshness.default freshness.rules[].tags freshness.rules[].for stale deadline allow deny"""

SECTIONS = {
    "": "version loglevel",
    "log": """accesslog.disabled level formatter fields hooks[].disabled hooks[].type hooks[].levels
        hooks[].options.smtp.addr hooks[].options.smtp.username hooks[].options.smtp.password
        hooks[].options.smtp.insecure hooks[].options.from hooks[].options.to reportcaller""",
    "storage": """inmemory maintenance.garbagecollect.enabled
        maintenance.garbagecollect.interval maintenance.garbagecollect.age maintenance.garbagecollect.deleteuntagged
        maintenance.uploadlimits.maxsize maintenance.uploadlimits.maxsessions
        maintenance.uploadlimits.minfree maintenance.uploadpurging.enabled maintenance.uploadpurging.age
        maintenance.uploadpurging.interval maintenance.uploadpurging.dryrun maintenance.readonly.enabled delete.enabled
        redirect.disable cache.blobdescriptor cache.blobdescriptorsize cache.layerinfo tag.concurrencylimit""",
    "storage.filesystem": "rootdirectory maxthreads",
    "storage.s3": S3,
    "storage.s3aws": S3,
    "storage.s3goamz": S3GOAMZ,
    "storage.azure": """accountname accountkey container realm credentials.type credentials.clientid
        credentials.tenantid credentials.secret rootdirectory serviceurl connectionstring max_retries retry_delay
        skipverify""",
    "storage.gcs": "bucket keyfile credentials rootdirectory chunksize maxconcurrency useragent",
    "storage.swift": """username password authurl container tenant tenantid domain domainid tenantdomain
        tenantdomainid trustid region authversion prefix endpointtype insecureskipverify chunksize secretkey accesskey
        tempurlcontainerkey tempurlmethods""",
    "storage.oss": """accesskeyid accesskeysecret region bucket endpoint internal encrypt secure chunksize
        rootdirectory""",
    "auth": """none silly.realm silly.service htpasswd.realm htpasswd.path token.realm token.issuer token.service
        token.rootcertbundle token.jwks token.autoredirect token.autoredirectpath token.signingalgorithms""",
    "middleware": """registry[].name registry[].disabled registry[].options repository[].name repository[].disabled
        repository[].options storage[].name storage[].disabled""",
    "middleware.storage[].options": """baseurl privatekey keypairid duration ipfilteredby awsregion updatefrequency
        updatefrenquency iprangesurl scheme host trimpathprefix""",
    "reporting": """sentry.dsn sentry.environment sentry.samplerate
        bugsnag.apikey bugsnag.releasestage bugsnag.endpoint newrelic.licensekey newrelic.name
        newrelic.verbose""",
    "http": """addr net host prefix secret relativeurls draintimeout headers debug.addr debug.prometheus.enabled
        debug.prometheus.path http2.disabled h2c.enabled""",
    "http.tls": """certificate key clientcas clientauth minimumtls ciphersuites letsencrypt.cachefile
        letsencrypt.email letsencrypt.hosts letsencrypt.directoryurl letsencrypt.directoryca
        letsencrypt.challengeaddr""",
    "notifications": """endpoints[].name endpoints[].url endpoints[].disabled endpoints[].headers endpoints[].timeout
        endpoints[].threshold endpoints[].backoff endpoints[].ignoredmediatypes endpoints[].ignore.mediatypes
        endpoints[].ignore.actions events.includereferences""",
    "redis": REDIS,
    "health": """storagedriver.enabled storagedriver.interval storagedriver.threshold file[].file file[].interval
        file[].threshold http[].uri http[].headers http[].statuscode http[].timeout http[].interval http[].threshold
        tcp[].addr tcp[].timeout tcp[].interval tcp[].threshold""",
    "catalog": "maxentries",
    "tags": "maxtags",
    "proxy": f"{UPSTREAM} minfree local cachewritetimeout",
    "proxy.upstreams[]": f"namespace {UPSTREAM}",
    "compatibility": "schema1.signingkeyfile schema1.enabled",
    "validation": """enabled disabled manifests.urls.allow manifests.urls.deny manifests.indexes.platforms
        manifests.indexes.platformlist[].architecture manifests.indexes.platformlist[].os""",
    "policy": "repository.classes",
}
KEYS = {f"{above}.{key}".removeprefix(".") for above, keys in SECTIONS.items() for key in keys.split()}

DEFAULTS = [
    ("log.accesslog.disabled", False),
    ("level", "info"),
    ("log.formatter", "text"),
    ("log.fields", {}),
    ("log.hooks", ()),
    ("log.reportcaller", False),
    ("storage.filesystem.rootdirectory", "/var/lib/registry"),
    ("storage.filesystem.maxthreads", 100),
    ("storage.maintenance.garbagecollect.enabled", False),
    ("storage.maintenance.garbagecollect.interval", 24 * 3600.0),
    ("storage.maintenance.garbagecollect.age", 24 * 3600.0),
    ("storage.maintenance.garbagecollect.deleteuntagged", False),
    ("storage.maintenance.uploadlimits.maxsize", 0),
    ("storage.maintenance.uploadlimits.maxsessions", 10_000),
    ("storage.maintenance.uploadlimits.minfree", Share()),
    ("storage.maintenance.uploadpurging.enabled", True),
    ("storage.maintenance.uploadpurging.age", 168 * 3600.0),
    ("storage.maintenance.uploadpurging.interval", 24 * 3600.0),
    ("storage.maintenance.uploadpurging.dryrun", False),
    ("storage.maintenance.readonly.enabled", False),
    ("storage.delete.enabled", False),
    ("storage.redirect.disable", False),
    ("storage.cache.descriptors", None),
    ("storage.cache.blobdescriptorsize", 10000),
    ("storage.tag.concurrencylimit", 0),
    ("http.addr", ""),
    ("http.net", "tcp"),
    ("http.prefix", ""),
    ("http.relativeurls", False),
    ("http.draintimeout", 0.0),
    ("http.tls.clientauth", "require-and-verify-client-cert"),
    ("http.tls.minimumtls", "tls1.2"),
    ("http.debug.addr", ""),
    ("http.debug.prometheus.enabled", False),
    ("http.debug.prometheus.path", "/metrics"),
    ("http.http2.disabled", False),
    ("http.h2c.enabled", False),
    ("notifications.events.includereferences", False),
    ("redis.dialtimeout", 0.0),
    ("redis.pool.maxidle", 0),
    ("health.storagedriver.enabled", False),
    ("health.storagedriver.interval", 10.0),
    ("health.storagedriver.threshold", 0),
    ("catalog.maxentries", 1000),
    ("tags.maxtags", 1000),
    ("proxy.ttl", 168 * 3600.0),
    ("proxy.cachewritetimeout", None),
    ("proxy.remoteurl", ()),
    ("proxy.maxsize", 0),
    ("proxy.minfree", Share()),
    ("proxy.freshness.default", 0.0),
    ("proxy.freshness.rules", ()),
    ("proxy.stale", 30 * 24 * 3600.0),
    ("proxy.deadline", 2.0),
    ("proxy.local", ()),
    ("proxy.upstreams", ()),
    ("proxy.enabled", False),
    ("compatibility.schema1.enabled", False),
    ("validation.disabled", False),
    ("validation.manifests.indexes.platforms", "all"),
    ("policy.repository.classes", ()),
]


def test_the_models_know_every_key_and_no_other() -> None:
    """The keys of Distribution 2.6 to 3.1, and those that are added for mirrors, are the keys of the models."""
    assert {path for path, _ in every_key()} == KEYS


@pytest.mark.parametrize(("path", "expected"), DEFAULTS)
def test_what_is_not_given_has_distributions_default(path: str, expected: object) -> None:
    """Durations are in seconds."""
    value: object = configured("version: 0.1\nstorage: filesystem")
    for step in path.split("."):
        value = getattr(value, step)

    assert value == expected


@pytest.mark.parametrize("section", sorted(set(Configuration.by_key()) - {"version", "storage"}))
def test_a_section_without_content_is_a_section_left_out(section: str) -> None:
    """`http:` alone says nothing."""
    secret = {"REGISTRY_HTTP_SECRET": "s"} if section != "http" else {}
    left_out = configured(MINIMAL, secret).model_dump(exclude={"http": {"secret"}})

    assert configured(f"{MINIMAL}{section}:\n", secret).model_dump(exclude={"http": {"secret"}}) == left_out


def test_a_key_without_value_is_a_key_left_out() -> None:
    """Null takes the default, as in Distribution."""
    assert (
        configured(f"{MINIMAL}http: {{addr: , tls: {{certificate: ~}}}}\ncatalog: {{maxentries: null}}").http.addr == ""
    )


def test_an_empty_word_is_the_default_where_distribution_takes_it_so() -> None:
    """Templates leave such words behind."""
    http = "http: {net: '', tls: {minimumtls: '', clientauth: ''}, debug: {prometheus: {path: ''}}}"
    configuration = configured(f"{MINIMAL}{http}\nlog: {{formatter: ''}}")

    assert configuration.http == configured(MINIMAL).http.model_copy(update={"secret": configuration.http.secret})
    assert configuration.log.formatter == "text"


@pytest.mark.parametrize(("threads", "kept"), [("10", 25), ("0", 25), ("25", 25), ("'200'", 200)])
def test_fewer_than_25_threads_are_raised(threads: str, kept: int) -> None:
    """Distribution's least; a driver's numbers may be quoted."""
    configuration = configured(f"version: 0.1\nstorage: {{filesystem: {{maxthreads: {threads}}}}}")

    assert configuration.storage.filesystem is not None
    assert configuration.storage.filesystem.maxthreads == kept


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("loglevel: debug", "debug"),
        ("log: {level: warn}", "warn"),
        ("log: {level: warn}\nloglevel: warn", "warn"),
        ("log: {formatter: json}", "info"),
    ],
)
def test_loglevel_is_an_old_name_of_log_level(text: str, level: str) -> None:
    """Either sets the level."""
    assert configured(MINIMAL + text).level == level


@pytest.mark.parametrize("key", ["blobdescriptor", "layerinfo"])
def test_layerinfo_is_an_old_name_of_blobdescriptor(key: str) -> None:
    """Either chooses the cache."""
    text = f"version: 0.1\nstorage: {{inmemory: , cache: {{{key}: inmemory}}}}"

    assert configured(text).storage.cache.descriptors == "inmemory"


@pytest.mark.parametrize("auth", ["auth: none", "auth: {none: }", "auth: {none: {}}", "auth:"])
def test_no_authorization_can_be_said_in_several_ways(auth: str) -> None:
    """All of them are what Distribution does without the section."""
    configuration = configured(MINIMAL + auth).auth

    assert configuration.model_dump(exclude={"none"}) == {"silly": None, "htpasswd": None, "token": None}


@pytest.mark.parametrize(
    "storage", ["inmemory", "{inmemory: }", "{inmemory: {}}", "\n  inmemory:  # takes no parameters\n", "'inmemory'"]
)
def test_a_driver_without_parameters_can_be_said_in_several_ways(storage: str) -> None:
    """A bare word, null and an empty mapping are the same."""
    assert configured(f"version: 0.1\nstorage: {storage}").storage.inmemory is not None


@pytest.mark.parametrize(("prefix", "kept"), [("/", ""), ("/a", "/a"), ("/my/nested/registry/", "/my/nested/registry")])
def test_a_prefix_is_kept_without_its_last_slash(prefix: str, kept: str) -> None:
    """With or without it, the prefix is the same."""
    assert configured(f"{MINIMAL}http: {{prefix: {prefix}}}").http.prefix == kept


def test_a_number_that_stands_for_the_default_becomes_it() -> None:
    """Zero or less means a thousand, as in Distribution."""
    assert configured(f"{MINIMAL}catalog: {{maxentries: -5}}\ntags: {{maxtags: 0}}").catalog.maxentries == 1000


def test_everything_that_works_today_can_be_set() -> None:
    """One configuration with every setting that is acted on, and no problem."""
    configuration = configured(
        minimal(
            r"""
log: {level: warn, formatter: logstash, fields: {service: registry}, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ./data, maxthreads: 200}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory, blobdescriptorsize: 500}
  maintenance: {readonly: {enabled: true}, uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}}
  redirect: {disable: true}
  tag: {concurrencylimit: 4}
auth: none
proxy:
  remoteurl: [https://mirror.example.org/hub, https://registry-1.docker.io]
  exec: {command: docker-credential-pass, lifetime: 1h}
  ttl: 30d
  maxsize: 200GiB
  minfree: 5%
  freshness: {default: 1m, rules: [{tags: '^v?\d+\.\d+\.\d+$', for: 24h}]}
  stale: 4w
  deadline: 2s
  realms: [auth.docker.io]
  proxyurl: http://user:secret@proxy.example.org:3128
  allow: ["library/*"]
  deny: ["**/secret"]
  local: ["team/**"]
  upstreams:
    - {namespace: ghcr.io, remoteurl: https://ghcr.io, username: user, password: secret, ca: ca.pem, clientcert: me.pem}
    - {namespace: "registry.example.org:5000", remoteurl: https://registry.example.org:5000, dockerconfig: config.json}
http:
  addr: :5000
  net: tcp
  host: https://registry.example.org
  prefix: /hub/
  secret: secret
  draintimeout: 1m
  headers: {X-Content-Type-Options: [nosniff]}
  http2: {disabled: true}
  h2c: {enabled: true}
  debug: {addr: "127.0.0.1:5001", prometheus: {enabled: true, path: /metrics}}
  tls: {certificate: cert.pem, key: key.pem, minimumtls: tls1.3}
catalog: {maxentries: 50}
tags: {maxtags: 60}
validation: {manifests: {urls: {allow: ['^https:'], deny: [evil]}}}
policy: {repository: {classes: [image]}}
"""
        )
    )

    assert configuration.http.draintimeout == 60.0
    assert configuration.storage.tag.concurrencylimit == 4


def test_a_configuration_cannot_be_changed() -> None:
    """What was validated stays as it is."""
    with pytest.raises(ValidationError):
        configured(MINIMAL).http.addr = ":1"  # type: ignore[misc]  # the plugin knows that it is frozen


def test_a_configuration_can_be_sent_to_another_process() -> None:
    """The supervisor loads it once and hands it to the workers."""
    configuration = configured(f"{MINIMAL}validation: {{manifests: {{urls: {{allow: [a$]}}}}}}")

    assert pickle.loads(pickle.dumps(configuration)) == configuration


def test_the_embedded_default_is_a_mirror_for_this_machine() -> None:
    """It serves Docker Hub and its like to 127.0.0.1 only, and keeps its content in ./data."""
    configuration = configured(default_text())

    assert [source.domain for source in configuration.proxy.sources] == [
        *("docker.io", "ghcr.io", "quay.io", "registry.k8s.io", "gcr.io", "public.ecr.aws", "mcr.microsoft.com")
    ]
    assert configuration.proxy.minfree == Share(percent=5)
    assert configuration.http.listener == ("127.0.0.1", 5000)
    assert configuration.storage.filesystem is not None
    assert configuration.storage.filesystem.rootdirectory == "./data"
    assert configuration.storage.delete.enabled
    assert not configuration.log.accesslog.disabled


def test_unknown_keys_of_drivers_without_parameters_are_refused() -> None:
    """Nothing is accepted and ignored."""
    assert problems("version: 0.1\nstorage: {inmemory: {size: 5}}\nauth: {none: {realm: a}}") == [
        "storage.inmemory.size: unknown key",
        "auth.none.realm: unknown key",
    ]
