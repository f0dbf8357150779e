"""The documents promise nothing that is not there, and leave out nothing that is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from entrepot.api.listings import PageLimits
from entrepot.api.state import StateSigner
from entrepot.api.table import build_routes
from entrepot.api.urls import Urls
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci import errors
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def error_classes() -> list[type[errors.RegistryError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [one for one in found if issubclass(one, errors.RegistryError) and one is not errors.Errors]


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_every_error_has_a_row_with_its_status(error: type[errors.RegistryError]) -> None:
    """Whoever gets an error finds its code and status in docs/api.md."""
    statuses: dict[str, set[str]] = {}
    code = ""
    for row in re.findall(r"^\| ([A-Z_]*) *\| (\d{3}) \|", (ROOT / "docs/api.md").read_text(), re.MULTILINE):
        code = row[0] or code
        statuses.setdefault(code, set()).add(row[1])

    assert str(error.status) in statuses.get(error.code, set())


def test_every_method_of_the_route_table_is_described() -> None:
    """docs/api.md names exactly the methods that the route table has."""
    registry = LocalRegistry(MemoryDriver(), None, Rules())
    table = build_routes(registry, Urls(), StateSigner(b"secret"), PageLimits())
    described = set(re.findall(r"\b(GET|HEAD|PUT|POST|PATCH|DELETE)\b", (ROOT / "docs/api.md").read_text()))

    assert {method for methods in table.values() for method in methods} == described


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """No relative link of a document is broken."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())

    assert [target for target in targets if not (document.parent / target).exists()] == []
