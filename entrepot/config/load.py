"""From a file and the environment to a Configuration, or to every problem that stands in the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from typing import NamedTuple

from pydantic import SecretStr, ValidationError

from entrepot.config.document import LONGEST_TEXT, Malformed, Tree, parse_document
from entrepot.config.environment import find_path, override
from entrepot.config.problems import ConfigurationError, Path, Problem, format_path, nearest
from entrepot.config.root import Configuration
from entrepot.config.section import section_at, walk
from entrepot.config.supported import unsupported

_TEXTS = {
    "missing": "required",
    "model_type": "needs a mapping of settings",
    "model_attributes_type": "needs a mapping of settings",
    "tuple_type": "needs a list",
}

Finding = tuple[Path, str]


class Loaded(NamedTuple):
    """A configuration that can be served, what an operator should know about it, and where it was read from."""

    configuration: Configuration
    warnings: tuple[str, ...]
    path: str


def load(argument: str | None, environ: Mapping[str, str], read: Callable[[str], bytes] | None = None) -> Loaded:
    """Reads the file that `argument` or else the environment names. Raises ConfigurationError.

    `read` returns the file's bytes and may stop after LONGEST_TEXT of them and one more.
    """
    path = locate(argument, environ)
    if path is None:
        text = "no configuration file is named, neither as the argument nor in REGISTRY_CONFIGURATION_PATH"
        raise ConfigurationError([Problem("", text, "")])
    try:
        text = _decoded((read or _read)(path))
    except (OSError, ValueError) as error:  # a path with a NUL character is a ValueError
        raise ConfigurationError([Problem("", getattr(error, "strerror", None) or str(error), path)]) from None
    return parse(text, environ, path)


def locate(argument: str | None, environ: Mapping[str, str]) -> str | None:
    """The configuration file's path, None where nothing names one. Raises ConfigurationError on contrary variables."""
    if argument is not None:
        return argument
    path, problems = find_path(environ)
    if problems:
        raise ConfigurationError(problems)
    return path


def parse(text: str, environ: Mapping[str, str], source: str) -> Loaded:
    """The configuration in `text`, with the environment's overrides. Raises ConfigurationError with all problems."""
    try:
        tree, repeated = parse_document(text)
    except Malformed as error:
        raise ConfigurationError([Problem("", str(error), source)]) from None
    overridden = override({} if tree is None else tree, environ, Configuration)
    configuration, invalid = _validated(overridden.tree)
    findings: list[Finding] = [(path, "given more than once") for path in repeated]
    findings += invalid
    findings += _contradictions(overridden.tree)
    findings += [(path, "is not supported yet") for path in unsupported(overridden.tree, Configuration)]
    problems = [*_attributed(findings, overridden.origins, source), *overridden.problems]
    if configuration is None or problems:
        raise ConfigurationError(problems)
    return _with_secret(configuration, (*overridden.warnings, *_risks(configuration)), source)


def _risks(configuration: Configuration) -> Iterator[str]:
    """What works, but not as somebody might expect."""
    storage = configuration.storage
    if storage.maintenance.garbagecollect.enabled and storage.cache.descriptors == "redis":
        text = "Redis is not told what it removes: a Distribution on the same Redis goes on to say that it is there"
        yield f"storage.maintenance.garbagecollect: {text}"


def default_text() -> str:
    """The embedded configuration: a mirror of Docker Hub and the like on 127.0.0.1:5000, with its data in ./data."""
    return resources.files("entrepot.config").joinpath("default.yml").read_text(encoding="utf-8")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(LONGEST_TEXT + 1)


def _decoded(content: bytes) -> str:
    if len(content) > LONGEST_TEXT:
        raise Malformed(f"longer than {LONGEST_TEXT} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 text at byte {error.start}") from None


def _validated(tree: Tree) -> tuple[Configuration | None, list[Finding]]:
    try:
        return Configuration.model_validate(tree), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    return None, [(detail["loc"], _text(detail["type"], detail["loc"], detail.get("ctx", {}))) for detail in details]


def _text(kind: str, path: Path, context: Mapping[str, object]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return "unknown key" + _suggestion(path)
    return _TEXTS.get(kind, "is not valid")


def _suggestion(path: Path) -> str:
    section = section_at(Configuration, path[:-1])
    meant = nearest(str(path[-1]), section.by_key()) if section else None
    return f", did you mean {format_path((*path[:-1], meant))}?" if meant else ""


def _contradictions(tree: Tree) -> Iterator[Finding]:
    for path, section, given in walk(Configuration, tree):
        for key, text in section.contradictions(given):
            yield ((*path, key) if key else path), text


def _attributed(findings: Iterable[Finding], origins: Mapping[Path, str], source: str) -> list[Problem]:
    """Each finding once, named after the variable that set its place or, failing that, after the file."""
    problems: dict[Problem, None] = {}
    for path, text in findings:
        above = (path[:length] for length in range(len(path), -1, -1))
        origin = next((origins[one] for one in above if one in origins), source)
        problems[Problem(format_path(path), text, origin)] = None
    return list(problems)


def _with_secret(configuration: Configuration, warnings: tuple[str, ...], source: str) -> Loaded:
    """Makes up `http.secret` where none is given: one for the whole process tree, so load once and hand it on."""
    http = configuration.http
    if not http.secret.get_secret_value():
        if not configuration.proxy.enabled or configuration.proxy.local:
            text = "not given, a random one is used: no upload goes on after a restart or on another node"
            warnings += (f"http.secret: {text}",)
        http = http.model_copy(update={"secret": SecretStr(secrets.token_urlsafe(32))})
    return Loaded(configuration.model_copy(update={"http": http}), warnings, source)
