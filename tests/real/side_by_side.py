"""One configuration file, served by Debian's `docker-registry` and by Entrepot, and asked the same: what differs."""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from entrepot.oci.descriptor import DOCKER_MANIFEST
from entrepot.testing.images import DOCKER, SampleManifest, config, layer, manifest
from tests.real.docker_registry import ENVIRONMENT
from tests.real.processes import Process
from tests.servers import COMMAND, choose_port

CONFIGURATIONS = Path(__file__).parent / "configurations"
PROGRAMS = {"docker-registry": ("docker-registry", "serve"), "entrepot": COMMAND}
ACCOUNT = ("alice", "secret")
PASSWORDS = "alice:$2b$05$xvIC145tvzPTUjYXszw4v.g/jHCTiLmC019miAZVsDPmMndJKaEE6\n"

Answer = dict[str, str]
"""What is compared of one: its status, its headers, its error codes; an absent header has no entry."""

_UNCOMPARED = frozenset({"date", "connection"})
_MASKS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"_state=[^&]+"), "_state=STATE"),
    (re.compile(r"127\.0\.0\.1:[0-9]+"), "ADDRESS"),
]


def content() -> SampleManifest:
    """A Docker image, the same in each run, as both keep its type."""
    layers = [layer({"file": b"content"}, media_type=DOCKER.layer)]
    return manifest(config(layers, DOCKER), layers, DOCKER)


@dataclass(frozen=True)
class Asking:
    """Sends the requests of the story to one server, and keeps what is compared of each answer by its name."""

    client: httpx.Client
    base: str
    answers: dict[str, Answer]

    def ask(self, name: str, method: str, path: str, **options: object) -> httpx.Response:
        url = path if path.startswith("http") else f"{self.base}{path}"
        with self.client.stream(method, url, **options) as answer:  # type: ignore[arg-type]
            content = b""
            with suppress(httpx.RemoteProtocolError):  # docker-registry sends less than it announces with 416
                content = answer.read()
        whole = httpx.Response(answer.status_code, headers=answer.headers, content=content)
        self.answers[name] = _compared(whole)
        return whole


def _compared(answer: httpx.Response) -> Answer:
    found = {"status": str(answer.status_code)}
    for name, value in answer.headers.multi_items():
        if name not in _UNCOMPARED:
            found[name] = ", ".join(filter(None, (found.get(name), _masked(value))))
    if answer.status_code >= 400:
        found.pop("content-length", None)  # that of a text, whose details are each program's own
        found["codes"] = _codes(answer)
    elif answer.content and answer.headers.get("content-type", "").startswith("application/json"):
        found["body"] = hashlib.sha256(json.dumps(answer.json(), sort_keys=True).encode()).hexdigest()[:8]
        found.pop("content-length", None)
    return found


def _codes(answer: httpx.Response) -> str:
    try:
        return ",".join(one["code"] for one in answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return ""


def _masked(value: str) -> str:
    for pattern, mask in _MASKS:
        value = pattern.sub(mask, value)
    return value


def story(asking: Asking) -> None:
    """Everything that a client can ask of a registry, well and badly."""
    ask, made = asking.ask, content()
    ask("base", "GET", "/v2/")
    ask("base, HEAD", "HEAD", "/v2/")
    ask("base, POST", "POST", "/v2/")
    ask("no such route", "GET", "/v2/nothing/here")
    ask("catalog, empty", "GET", "/v2/_catalog")
    ask("tags of nothing", "GET", "/v2/absent/tags/list")
    ask("manifest of nothing", "GET", "/v2/absent/manifests/latest")
    ask("blob of nothing", "GET", f"/v2/absent/blobs/{made.digest}")
    ask("blob, bad digest", "GET", "/v2/team/app/blobs/sha256:short")
    ask("bad name", "GET", "/v2/UPPER/tags/list")
    for number, blob in enumerate(made.blobs):
        begun = ask(f"upload {number}", "POST", "/v2/team/app/blobs/uploads/")
        if begun.status_code != 202:
            continue
        location = _absolute(asking, begun.headers["location"])
        if number == 0:
            state = ask("upload, state", "GET", location)
            sent = ask("upload, chunk", "PATCH", _absolute(asking, state.headers["location"]), content=blob.content)
            location = _absolute(asking, sent.headers["location"])
            ask("upload, wrong digest form", "PUT", f"{location}&digest=sha256:short")
            ask("upload, end", "PUT", f"{location}&digest={blob.digest}")
        else:
            ask(f"upload {number}, end", "PUT", f"{location}&digest={blob.digest}", content=blob.content)
    ask("upload, unknown", "GET", "/v2/team/app/blobs/uploads/00000000-0000-4000-8000-000000000000?_state=x")
    _with_content(asking, made)


def _with_content(asking: Asking, made: SampleManifest) -> None:
    ask = asking.ask
    place = f"/v2/team/app/blobs/{made.blobs[0].digest}"
    ask("mount", "POST", f"/v2/team/other/blobs/uploads/?mount={made.blobs[0].digest}&from=team/app")
    typed = {"Content-Type": DOCKER_MANIFEST}
    ask("manifest, push", "PUT", "/v2/team/app/manifests/v1", content=made.content, headers=typed)
    ask("manifest, no JSON", "PUT", "/v2/team/app/manifests/v2", content=b"{", headers=typed)
    ask("manifest, bad tag", "PUT", "/v2/team/app/manifests/.bad", content=made.content, headers=typed)
    accept = {"Accept": DOCKER_MANIFEST}
    manifest_by_digest = f"/v2/team/app/manifests/{made.digest}"
    for method in ("GET", "HEAD"):
        ask(f"manifest by tag, {method}", method, "/v2/team/app/manifests/v1", headers=accept)
        ask(f"manifest by digest, {method}", method, manifest_by_digest, headers=accept)
        ask(f"blob, {method}", method, place)
        ask(f"blob, not modified, {method}", method, place, headers={"If-None-Match": f'"{made.blobs[0].digest}"'})
    ask("manifest, not modified", "GET", manifest_by_digest, headers={**accept, "If-None-Match": f'"{made.digest}"'})
    ask("blob, range", "GET", place, headers={"Range": "bytes=0-9"})
    ask("blob, range past the end", "GET", place, headers={"Range": "bytes=100000-"})
    ask("tags", "GET", "/v2/team/app/tags/list")
    ask("tags, page", "GET", "/v2/team/app/tags/list?n=1")
    ask("catalog", "GET", "/v2/_catalog")
    ask("catalog, page", "GET", "/v2/_catalog?n=1")
    ask("catalog, bad page", "GET", "/v2/_catalog?n=x")
    ask("manifest, POST", "POST", "/v2/team/app/manifests/v1")
    ask("blob, PUT", "PUT", place)
    ask("delete by tag", "DELETE", "/v2/team/app/manifests/v1")
    ask("delete manifest", "DELETE", manifest_by_digest)
    ask("delete blob", "DELETE", place)
    ask("deleted manifest", "GET", manifest_by_digest, headers=accept)
    ask("deleted blob", "GET", place)


def _absolute(asking: Asking, location: str) -> str:
    # What a host that is configured stands for is this server.
    path = re.sub(r"^https?://[^/]+(/below)?", "", location)
    origin = re.sub(r"^(https?://[^/]+).*", r"\1", asking.base)
    prefix = asking.base.removeprefix(origin)
    return f"{origin}{path}" if path.startswith(f"{prefix}/") else f"{asking.base}{path}"


@contextmanager
def served(program: str, name: str, directory: Path) -> Iterator[Asking]:
    """One of the programs, with the configuration of that name, as it stands in its file but for places."""
    port, places = choose_port(), directory / program
    places.mkdir(parents=True)
    (places / "htpasswd").write_text(PASSWORDS)
    text = (CONFIGURATIONS / f"{name}.yml").read_text()
    for word, place in (
        ("ROOT", str(places / "data")),
        ("PORT", str(port)),
        ("DEBUG", str(choose_port())),
        ("HTPASSWD", str(places / "htpasswd")),
    ):
        text = text.replace(word, place)
    config_file = places / "config.yml"
    config_file.write_text(text)
    process = Process([*PROGRAMS[program], str(config_file)], places / "log", ENVIRONMENT)
    prefix = "/registry" if "prefix:" in text else ""
    base = f"http://127.0.0.1:{port}{prefix}"
    headers = {}
    if "silly:" in text:
        headers["Authorization"] = "anything"
    if "htpasswd:" in text:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(ACCOUNT).encode()).decode()}"
    try:
        process.wait_until(lambda: _listens(base))
        with httpx.Client(headers=headers, timeout=30) as client:
            yield Asking(client, base, {})
    finally:
        process.kill()


def _listens(base: str) -> bool:
    try:
        httpx.get(f"{base}/v2/")
    except httpx.TransportError:
        return False
    return True


def differences(name: str, directory: Path) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """By request and by what differs: docker-registry's, then Entrepot's."""
    answers = {}
    for program in PROGRAMS:
        with served(program, name, directory) as asking:
            story(asking)
            answers[program] = asking.answers
    theirs, ours = answers["docker-registry"], answers["entrepot"]
    found = {}
    for request in {**theirs, **ours}:
        one, other = theirs.get(request, {}), ours.get(request, {})
        for part in {**one, **other}:
            if one.get(part) != other.get(part):
                found[request, part] = (one.get(part), other.get(part))
    return found


def names() -> Sequence[str]:
    return sorted(path.stem for path in CONFIGURATIONS.glob("*.yml"))


if __name__ == "__main__":
    for key, pair in differences(sys.argv[1], Path(sys.argv[2])).items():
        print(key, pair)
