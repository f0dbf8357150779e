"""Judges a data directory by its files alone, independently of the code that wrote them: `check` names what is wrong.

It knows Distribution's layout, plus Entrepot's links from subjects to referrers, and follows the invariants that a
registry must keep through any crash: content hashes to its name, links name content, tags name manifests.
"""

import hashlib
import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

V2 = Path("docker/registry/v2")
DIGEST = re.compile(rb"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What Distribution never lets a registry hold: layers that may only come from their own URLs.
FOREIGN = ("nondistributable", "foreign")
CONTENT = r"(sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128})"
# Files below a repository's reserved directories that belong there.
KNOWN = re.compile(
    rf"_layers/{CONTENT}/link"
    rf"|_manifests/revisions/{CONTENT}/link"
    rf"|_manifests/tags/[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}/(current|index/{CONTENT})/link"
    rf"|_manifests/referrers/{CONTENT}/{CONTENT}/link"
    rf"|_uploads/{UUID.pattern}/(startedat|data|hashstates/.*)"
)


def check(root: Path, *, mirror: bool = False) -> list[str]:
    """Return one line for everything that must not be; a mirror may have a manifest before what it names."""
    tree = Tree(root)
    problems = [*tree.check_blobs(), *tree.check_links(), *tree.check_tags()]
    return problems if mirror else [*problems, *tree.check_manifests()]


def leftovers(root: Path) -> list[str]:
    """Return the paths of all files that are no part of the layout: temporary files, and upload sessions' files."""
    tree = Tree(root)
    blobs = (path for path in files_below(tree.blobs) if path.name != "data")
    entries = (path for path in files_below(tree.repositories) if not is_kept(path.relative_to(tree.repositories)))
    return sorted(str(path.relative_to(root)) for path in (*blobs, *entries))


def is_kept(path: Path) -> bool:
    """Tell whether a file below `repositories` is part of the layout and outlives the request that wrote it."""
    found = re.search(r"(^|/)(_(layers|manifests|uploads)/.*)", str(path))
    return found is not None and KNOWN.fullmatch(found.group(2)) is not None and "_uploads" not in path.parts


def without_layers(root: Path) -> list[str]:
    """Return the repositories that hold manifests but no `_layers`, and so are invisible to Distribution 2.x."""
    tree = Tree(root)
    return [name for name in tree.names() if not (tree.repositories / name / "_layers").is_dir()]


class Tree:
    """The directories of one registry."""

    def __init__(self, root: Path) -> None:
        self.blobs = root / V2 / "blobs"
        self.repositories = root / V2 / "repositories"

    def names(self) -> list[str]:
        """The repositories that hold manifests."""
        found = self.repositories.rglob("_manifests")
        return sorted(str(path.parent.relative_to(self.repositories)) for path in found)

    def check_blobs(self) -> Iterator[str]:
        """Every `data` is a plain file at the place that its content hashes to."""
        for path in files_below(self.blobs):
            if path.name != "data":
                continue
            algorithm, prefix, encoded = path.relative_to(self.blobs).parts[:-1]
            if not stat.S_ISREG(path.lstat().st_mode):
                yield f"not a plain file: {path}"
            elif prefix != encoded[:2] or hashlib.new(algorithm, path.read_bytes()).hexdigest() != encoded:
                yield f"content does not hash to its name: {path}"

    def check_links(self) -> Iterator[str]:
        """Every link is a digest and nothing else, and the content it names is there."""
        for path in files_below(self.repositories):
            if path.name != "link":
                continue
            content = path.read_bytes()
            if DIGEST.fullmatch(content) is None:
                yield f"not a digest: {path}: {content[:200]!r}"
            elif not self.blob(content.decode()).exists():
                yield f"names absent content: {path}: {content.decode()}"
            elif not self.named_by_its_path(path, content.decode()):
                yield f"names other content than its path: {path}: {content.decode()}"

    @staticmethod
    def named_by_its_path(link: Path, digest: str) -> bool:
        """Tell whether a link's directory agrees with it; a current tag's says nothing, an alias of a layer may not."""
        algorithm, encoded = link.parts[-3:-1]
        return encoded == "current" or f"{algorithm}:{encoded}" == digest or "_layers" in link.parts

    def check_tags(self) -> Iterator[str]:
        """Every tag names a manifest that its repository holds, and has it in its history."""
        for current in self.repositories.rglob("_manifests/tags/*/current/link"):
            tag, manifests = current.parent.parent, current.parents[3]
            digest = current.read_text().replace(":", "/")
            if not (manifests / "revisions" / digest / "link").exists():
                yield f"names a manifest that is not there: {current}: {digest}"
            if not (tag / "index" / digest / "link").exists():
                yield f"is not in the tag's history: {current}: {digest}"

    def check_manifests(self) -> Iterator[str]:
        """Every manifest's blobs and children are linked in its repository, but for those that may lie elsewhere."""
        for link in self.repositories.rglob("_manifests/revisions/*/*/link"):
            repository = link.parents[4]
            blob = self.blob(link.read_text())
            manifest = json.loads(blob.read_bytes()) if blob.exists() else {}
            for needed in needed_by(manifest):
                if not (repository / needed).exists():
                    yield f"lacks {needed}: {link}"

    def blob(self, digest: str) -> Path:
        """Where content lies."""
        algorithm, _, encoded = digest.partition(":")
        return self.blobs / algorithm / encoded[:2] / encoded / "data"


def needed_by(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the links, relative to the repository, that must be there with a manifest."""
    blobs = [*([manifest["config"]] if "config" in manifest else []), *manifest.get("layers", [])]
    for descriptor in blobs:
        if not any(word in descriptor["mediaType"] for word in FOREIGN):
            yield f"_layers/{descriptor['digest'].replace(':', '/')}/link"
    for descriptor in manifest.get("manifests", []):
        yield f"_manifests/revisions/{descriptor['digest'].replace(':', '/')}/link"


def files_below(directory: Path) -> Iterator[Path]:
    """Yield everything below a directory that is no directory."""
    return (path for path in directory.rglob("*") if not path.is_dir() or path.is_symlink())


if __name__ == "__main__":
    problems = [problem for argument in sys.argv[1:] for problem in check(Path(argument))]
    print("\n".join(problems))
    sys.exit(bool(problems))
