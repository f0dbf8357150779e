"""Headers in settings."""

from __future__ import annotations

import pytest

from tests.unit.config.reading import MINIMAL, configured, problems


def test_headers_are_names_with_lists_of_values() -> None:
    """Order and spelling are kept, and a value is the text as written."""
    configuration = configured(f"{MINIMAL}http: {{headers: {{X-Content-Type-Options: [nosniff], X-A: [1, yes]}}}}")

    assert configuration.http.headers == {"X-Content-Type-Options": ("nosniff",), "X-A": ("1", "yes")}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("[a]", "needs a mapping of header names to lists of values"),
        ("{X-A: hunter2}", "X-A needs a list of values, as in [nosniff]"),
        ("{X-A: }", "X-A needs a list of values, as in [nosniff]"),
        ("{X-A: [{hunter2: b}]}", "X-A has a value that cannot stand in a header"),
        ('{X-A: ["hunter2\\r\\nX-B: c"]}', "X-A has a value that cannot stand in a header"),
        ('{X-A: ["hunter2\\0"]}', "X-A has a value that cannot stand in a header"),
        ("{X-A: [hunter2\u20ac]}", "X-A has a value that cannot stand in a header"),
        ("{'X A': [b]}", "'X A' is not a header name"),
        ("{'': [b]}", "'' is not a header name"),
        ('{"X\\r\\nY": [b]}', r"'X\r\nY' is not a header name"),
        ("{Content-Length: ['5']}", "Content-Length says how a message is sent and cannot be set"),
        ("{transfer-encoding: [chunked]}", "transfer-encoding says how a message is sent and cannot be set"),
    ],
)
def test_what_cannot_stand_in_a_header_is_refused(headers: str, message: str) -> None:
    """Names are tokens, values have no line breaks; values are never shown."""
    assert problems(f"{MINIMAL}http: {{headers: {headers}}}") == [f"http.headers: {message}"]
