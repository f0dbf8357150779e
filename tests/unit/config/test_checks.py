"""What Distribution refuses, and what is nonsense although Distribution would go on with it."""

from __future__ import annotations

import pytest

from entrepot.config.storage import DRIVERS
from tests.unit.config.reading import MINIMAL, configured, minimal, problems

S3 = "region: r, bucket: b"
ALGORITHMS = "EdDSA, HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512"
ENDPOINT = "notifications: {endpoints: [{name: a, url: 'https://example.org', %s}]}"

CHECKS = [
    # version
    ("version: 0.2\nstorage: inmemory", ["version: '0.2' is not one of 0.1"]),
    ("version: 1\nstorage: inmemory", ["version: '1' is not one of 0.1"]),
    ("version: [0.1]\nstorage: inmemory", ["version: needs text"]),
    ("storage: inmemory", ["version: required"]),
    ("", ["version: required", "storage: required"]),
    ("version: 0.1\nstorage:", ["storage: required"]),
    ("[]", ["needs a mapping of settings"]),
    ("word", ["needs a mapping of settings"]),
    # one driver, at most one kind of auth
    ("version: 0.1\nstorage: {}", [f"storage: needs exactly one storage driver, one of {', '.join(DRIVERS)}"]),
    (
        "version: 0.1\nstorage: {delete: {enabled: true}}",
        [f"storage: needs exactly one storage driver, one of {', '.join(DRIVERS)}"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , filesystem: {}}",
        ["storage.filesystem: only one storage driver may be given, and there is inmemory already"],
    ),
    ("version: 0.1\nstorage: [inmemory]", ["storage: needs a mapping of settings"]),
    ("version: 0.1\nstorage: filesytem", ["storage.filesytem: unknown key, did you mean storage.filesystem?"]),
    ("version: 0.1\nstorage: {inmemory: 5}", ["storage.inmemory: needs a mapping of settings"]),
    (
        "auth: {none: , silly: {realm: r, service: s}}",
        ["auth.silly: only one type of auth may be given, and there is none already"],
    ),
    ("auth: htpaswd", ["auth.htpaswd: unknown key, did you mean auth.htpasswd?"]),
    # who may do what, and what is checked
    ("auth: {htpasswd: {realm: r}}", ["auth.htpasswd.path: required"]),
    ("auth: {htpasswd: {realm: r, path: ''}}", ["auth.htpasswd.path: must not be empty"]),
    ("auth: {token: {realm: r, issuer: i, service: s}}", ["auth.token.rootcertbundle: required without jwks"]),
    (
        "auth: {token: {realm: r, issuer: i, service: s, jwks: j, signingalgorithms: [none]}}",
        [
            f"auth.token.signingalgorithms[0]: 'none' is not one of {ALGORITHMS}",
        ],
    ),
    (
        "health: {storagedriver: {enabled: true, threshold: -1}}",
        ["health.storagedriver.threshold: must not be negative"],
    ),
    ("health: {file: [{interval: 1s}]}", ["health.file[0].file: required"]),
    (
        "health: {http: [{uri: nowhere}]}",
        ["health.http[0].uri: needs a URL that begins with http:// or https:// and names a host"],
    ),
    ("health: {tcp: [{addr: ''}]}", ["health.tcp[0].addr: must not be empty"]),
    ("health: {tcp: [{addr: 'a:1'}, {addr: 'a:1', interval: 1s}]}", ["health.tcp: a:1 is checked twice"]),
    # levels, limits, choices
    ("log: {level: fatal}", ["log.level: 'fatal' is not one of error, warn, info, debug"]),
    ("loglevel: panic", ["loglevel: 'panic' is not one of error, warn, info, debug"]),
    (
        "log: {level: info}\nloglevel: debug",
        ["loglevel: an old name of log.level, which has another value"],
    ),
    ("tags: {maxtags: -1}", ["tags.maxtags: must not be negative"]),
    ("http: {net: udp}", ["http.net: 'udp' is not one of tcp, unix"]),
    (
        "policy: {repository: {classes: [images]}}",
        ["policy.repository.classes[0]: 'images' is not one of image, plugin, did you mean image?"],
    ),
    # storage
    (
        "version: 0.1\nstorage: {filesystem: {rootdirectory: ''}}",
        ["storage.filesystem.rootdirectory: must not be empty"],
    ),
    (
        "version: 0.1\nstorage: {filesystem: {maxthreads: many}}",
        ["storage.filesystem.maxthreads: needs a whole number"],
    ),
    ("version: 0.1\nstorage: {filesystem: {maxthreads: -1}}", ["storage.filesystem.maxthreads: must not be negative"]),
    (
        "version: 0.1\nstorage: {inmemory: , redirect: }",
        ["storage.redirect.disable: required where redirect is written out"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , redirect: {}}",
        ["storage.redirect.disable: required where redirect is written out"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , redirect: {disable: 'true'}}",
        ["storage.redirect.disable: needs true or false, without quotes"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , delete: {enabled: maybe}}",
        ["storage.delete.enabled: needs true or false, without quotes"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , maintenance: {readonly: , uploadpurging: }}",
        [
            "storage.maintenance.uploadpurging: must contain additional keys, or be left out",
            "storage.maintenance.readonly: must contain additional keys, or be left out",
        ],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , maintenance: {readonly: true}}",
        ["storage.maintenance.readonly: needs a mapping of settings"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , maintenance: {readonly: {enabled: 'true'}}}",
        ["storage.maintenance.readonly.enabled: needs true or false, without quotes"],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , maintenance: {uploadpurging: {age: 1h, interval: 1h, dryrun: false}}}",
        ["storage.maintenance: uploadpurging has no effect on inmemory; give enabled: false"],
    ),
    (
        "version: 0.1\nstorage: {filesystem: , maintenance: {uploadpurging: {age: 168, interval: soon}}}",
        [
            "storage.maintenance.uploadpurging.age: '168' is not a duration such as 10s, 1h30m or 250ms",
            "storage.maintenance.uploadpurging.interval: 'soon' is not a duration such as 10s, 1h30m or 250ms",
            "storage.maintenance.uploadpurging.dryrun: required where uploadpurging is written out",
        ],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: memory, blobdescriptorsize: many}}",
        [
            "storage.cache.blobdescriptor: 'memory' is not one of inmemory, redis, did you mean inmemory?",
            "storage.cache.blobdescriptorsize: needs a whole number",
        ],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: inmemory, layerinfo: redis}}",
        [
            "redis: required where storage.cache.blobdescriptor is redis",
            "storage.cache.layerinfo: an old name of blobdescriptor, which has another value",
        ],
    ),
    (
        "version: 0.1\nstorage: {inmemory: , tag: {concurrencylimit: -1}}",
        ["storage.tag.concurrencylimit: must not be negative"],
    ),
    # http
    ("http: {prefix: my/registry}", ["http.prefix: needs a path that begins with /, as in /my/registry/"]),
    ("http: {prefix: /a//b}", ["http.prefix: needs a path that begins with /, as in /my/registry/"]),
    ("http: {prefix: /../b}", ["http.prefix: needs a path that begins with /, as in /my/registry/"]),
    ("http: {prefix: '/a?b'}", ["http.prefix: needs a path that begins with /, as in /my/registry/"]),
    (
        "http: {host: 'https://example.org', relativeurls: true}",
        ["http.relativeurls: has no effect beside http.host; give one of them"],
    ),
    ("http: {tls: {certificate: c}}", ["http.tls.key: certificate and key go together"]),
    ("http: {tls: {key: k}}", ["http.tls.certificate: certificate and key go together"]),
    ("http: {tls: {minimumtls: tls1.1}}", ["http.tls.minimumtls: 'tls1.1' is not one of tls1.2, tls1.3"]),
    (
        "http: {tls: {certificate: c, key: k, letsencrypt: {cachefile: f}}}",
        [
            "http.tls.letsencrypt: cannot be given together with a certificate; give one of them",
            "http.tls.letsencrypt.hosts: required where another key of letsencrypt is given",
        ],
    ),
    (
        "http: {tls: {letsencrypt: {email: a@example.org}}}",
        [
            "http.tls.letsencrypt.cachefile: required where another key of letsencrypt is given",
            "http.tls.letsencrypt.hosts: required where another key of letsencrypt is given",
        ],
    ),
    (
        "http: {tls: {clientauth: verify-client-cert-if-given}}",
        ["http.tls.clientauth: has no effect without clientcas"],
    ),
    (
        "http: {tls: {certificate: c, key: k, clientcas: [a], clientauth: request-client-cert}}",
        [
            "http.tls.clientauth: certificates that nobody verifies are not taken; use verify-client-cert-if-given",
        ],
    ),
    (
        "http: {tls: {certificate: c, key: k, minimumtls: tls1.3, ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA]}}",
        [
            "http.tls.ciphersuites: TLS_RSA_WITH_AES_128_CBC_SHA is not safe and cannot be offered; take it out",
            (
                "http.tls.ciphersuites: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256 "
                "cannot be left out; list them too, or leave the key out"
            ),
        ],
    ),
    (
        "http: {debug: {addr: nowhere, prometheus: {path: metrics}}}",
        [
            "http.debug.addr: 'nowhere' is not host:port",
            "http.debug.prometheus.path: needs a path that begins with /",
        ],
    ),
    ("http: {debug: {prometheus: {enabled: true}}}", ["http.debug.prometheus: has no effect without addr"]),
    # proxy
    ("proxy: {username: u, password: p}", ["proxy.remoteurl: required where another key of proxy is given"]),
    ("proxy: {remoteurl: 'https://a', username: u}", ["proxy.password: username and password go together"]),
    ("proxy: {remoteurl: 'https://a', password: p}", ["proxy.username: username and password go together"]),
    (
        "proxy: {remoteurl: 'https://a', username: u, password: p, exec: {command: c}}",
        ["proxy.exec: only one source of credentials may be given, and there is username already"],
    ),
    ("proxy: {remoteurl: 'https://a', exec: {}}", ["proxy.exec.command: required"]),
    # validation
    ("validation: {enabled: true, disabled: true}", ["validation.disabled: contradicts validation.enabled"]),
    (
        "validation: {enabled: false}",
        ["validation.enabled: does not switch validation off; validation.disabled: true does"],
    ),
    (
        "validation: {manifests: {indexes: {platforms: some}}}",
        [
            "validation.manifests.indexes.platforms: 'some' is not one of all, none, list",
        ],
    ),
    (
        "validation: {manifests: {indexes: {platformlist: [{os: linux}]}}}",
        [
            "validation.manifests.indexes.platformlist: has no effect unless platforms is list",
        ],
    ),
]

UNSUPPORTED_CHECKS = [
    # what is checked of settings that are not supported yet: each of these is reported besides
    ("version: 0.1\nstorage: {s3: {bucket: b}}", "storage.s3.region: required without regionendpoint"),
    ("version: 0.1\nstorage: {s3: {region: r}}", "storage.s3.bucket: required"),
    (
        f"version: 0.1\nstorage: {{s3: {{{S3}, accesskey: a}}}}",
        "storage.s3.secretkey: accesskey and secretkey go together",
    ),
    (
        f"version: 0.1\nstorage: {{s3: {{{S3}, encrypt: perhaps}}}}",
        "storage.s3.encrypt: needs true or false, without quotes",
    ),
    (
        f"version: 0.1\nstorage: {{s3: {{{S3}, chunksize: 1}}}}",
        "storage.s3.chunksize: must be from 5242880 to 5368709120",
    ),
    (
        f"version: 0.1\nstorage: {{s3: {{{S3}, multipartcopymaxconcurrency: 0}}}}",
        "storage.s3.multipartcopymaxconcurrency: must be at least 1",
    ),
    (
        f"version: 0.1\nstorage: {{s3: {{{S3}, v4auth: false}}}}",
        "storage.s3.v4auth: only a server named by regionendpoint takes the older signatures",
    ),
    (
        f"version: 0.1\nstorage: {{s3: {{{S3}, redirectendpoint: 'https://a/b'}}}}",
        "storage.s3.redirectendpoint: takes a scheme and a host only, no path",
    ),
    (f"version: 0.1\nstorage: {{s3goamz: {{{S3}, keyid: k}}}}", "storage.s3goamz.keyid: unknown key"),
    ("version: 0.1\nstorage: {azure: {container: c}}", "storage.azure.accountname: required"),
    (
        "version: 0.1\nstorage: {azure: {accountname: a, container: c, credentials: {type: client_secret}}}",
        "storage.azure.credentials.clientid: required where the type is client_secret",
    ),
    (
        "version: 0.1\nstorage: {gcs: {bucket: b, chunksize: 300000}}",
        "storage.gcs.chunksize: must be a multiple of 262144 (256 KiB)",
    ),
    ("version: 0.1\nstorage: {gcs: {bucket: b, credentials: key}}", "storage.gcs.credentials: needs a mapping"),
    (
        "version: 0.1\nstorage: {gcs: {bucket: b, keyfile: k, credentials: {a: b}}}",
        "storage.gcs.credentials: give either a keyfile or the credentials themselves",
    ),
    ("version: 0.1\nstorage: {swift: {username: u}}", "storage.swift.authurl: required"),
    ("version: 0.1\nstorage: {oss: {bucket: b, chunksize: 1}}", "storage.oss.chunksize: must be at least 5242880"),
    (
        "middleware: {storage: [{name: redirekt}]}",
        "middleware.storage[0].name: 'redirekt' is not one of cloudfront, redirect, rewrite, did you mean redirect?",
    ),
    ("middleware: {storage: [{name: redirect}]}", "middleware.storage[0].options: redirect requires baseurl"),
    (
        "middleware: {storage: [{name: rewrite, options: {baseurl: 'https://a'}}]}",
        "middleware.storage[0].options: baseurl is not an option of rewrite",
    ),
    ("middleware: {registry: [{disabled: true}]}", "middleware.registry[0].name: required"),
    ("notifications: {endpoints: [{name: a}]}", "notifications.endpoints[0].url: required"),
    ("notifications: {endpoints: [{name: a, url: ''}]}", "notifications.endpoints[0].url: must not be empty"),
    ("notifications: {endpoints: {name: a}}", "notifications.endpoints: needs a list"),
    (
        ENDPOINT % "ignore: {actions: [tag]}",
        "notifications.endpoints[0].ignore.actions[0]: 'tag' is not one of pull, push, mount, delete",
    ),
    (
        ENDPOINT % "timeout: 5x",
        "notifications.endpoints[0].timeout: '5x' is not a duration such as 10s, 1h30m or 250ms",
    ),
    (
        ENDPOINT % "headers: {Authorization: hunter2}",
        "notifications.endpoints[0].headers: Authorization needs a list of values, as in [nosniff]",
    ),
    ("redis: {addr: 'a:1', addrs: ['a:1']}", "redis.addr: give either addr or addrs"),
    (
        "redis: {addrs: ['a:1'], pool: {maxidle: 1}}",
        "redis.pool: has no effect beside addrs; poolsize and its neighbours have",
    ),
    ("redis: {password: p}", "redis.addrs: required where another key of redis is given"),
    ("redis: {addr: 'a:1', db: -1}", "redis.db: must not be negative"),
    ("redis: {addrs: ['a:1'], tls: {key: k}}", "redis.tls.certificate: certificate and key go together"),
    ("log: {hooks: [{type: pager}]}", "log.hooks[0].type: 'pager' is not one of mail"),
    (
        "log: {hooks: [{type: mail, levels: [loud]}]}",
        "log.hooks[0].levels[0]: 'loud' is not one of panic, fatal, error, warn, info, debug",
    ),
]

NEAR_MISSES = [
    ("http: {adr: ':5000'}", "http.adr: unknown key, did you mean http.addr?"),
    ("http: {Addr: ':5000'}", "http.Addr: unknown key, did you mean http.addr?"),
    ("htpp: {addr: ':5000'}", "htpp: unknown key, did you mean http?"),
    ("htpp:", "htpp: unknown key, did you mean http?"),
    ("log: {accessLog: {disabled: true}}", "log.accessLog: unknown key, did you mean log.accesslog?"),
    ("proxy: {remote_url: 'https://a'}", "proxy.remote_url: unknown key, did you mean proxy.remoteurl?"),
    ("http: {tls: {minimum_tls: tls1.3}}", "http.tls.minimum_tls: unknown key, did you mean http.tls.minimumtls?"),
    (
        "validation: {manifests: {urls: {alow: []}}}",
        "validation.manifests.urls.alow: unknown key, did you mean validation.manifests.urls.allow?",
    ),
    ("zebra: 1", "zebra: unknown key"),
    ("{? 'a.b c' : 1}", "'a.b c': unknown key"),
    ('"a\\nb": 1', r"'a\nb': unknown key"),
]


@pytest.mark.parametrize(("text", "expected"), CHECKS)
def test_a_check_has_its_line(text: str, expected: list[str]) -> None:
    """Each problem is told once, with its path."""
    alone = text.startswith("version") or text in ("", "storage: inmemory", "[]", "word")

    assert problems(text if alone else minimal(text)) == expected


@pytest.mark.parametrize(("text", "expected"), UNSUPPORTED_CHECKS)
def test_the_settings_of_a_section_are_checked(text: str, expected: str) -> None:
    """Also of one that is not supported yet: whoever waits for it learns at once whether they are sound."""
    found = problems(text if text.startswith("version") else minimal(text))

    assert any(one.startswith(expected) for one in found), found


@pytest.mark.parametrize(("text", "expected"), NEAR_MISSES)
def test_an_unknown_key_is_a_problem_with_a_suggestion(text: str, expected: str) -> None:
    """Distribution would ignore it."""
    assert problems(text if text.startswith("{") else minimal(text))[0 if not text.startswith("{") else -1] == expected


def test_an_unknown_key_in_a_list_is_found() -> None:
    """The position is part of the path."""
    found = problems(minimal(ENDPOINT % "treshold: 5"))

    assert (
        found[0]
        == "notifications.endpoints[0].treshold: unknown key, did you mean notifications.endpoints[0].threshold?"
    )


def test_a_validation_that_is_disabled_may_say_so_twice() -> None:
    """`enabled: false` alone would leave it on; beside `disabled: true` it is no contradiction."""
    assert configured(f"{MINIMAL}validation: {{enabled: false, disabled: true}}").validation.disabled
