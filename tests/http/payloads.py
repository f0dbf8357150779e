"""Requests whose bodies are framed oddly, as header lines and bytes; what each must lead to stands in the tests."""

CHUNKED = "Transfer-Encoding: chunked"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
"""A chunked body of five bytes."""

SEVERAL_LENGTHS = (
    ("Content-Length: 5", "Content-Length: 6"),
    ("Content-Length: 5", "Content-Length: 0"),
    ("Content-Length: 0", "Content-Length: 5"),
    ("Content-Length: 5, 5",),
    ("Content-Length: 5, 6",),
    ("Content-Length: 5,",),
)
"""F-002, all but the same length in two lines."""

LENGTHS = (
    "+5",
    "-0",
    "-5",
    "0x5",
    "1_0",
    "5 5",
    "5.0",
    "5e0",
    "\u0665".encode().decode("latin-1"),
    "9" * 30,
    "",
    "18446744073709551616",
    "18446744073709551615",
    "9223372036854775808",
)
"""F-003: values of Content-Length that are no length."""

SAME_LENGTH = ("5 ", "5\t", "05", "000000005")
"""Values of Content-Length that are the length 5: blanks around a value are none of it (RFC 9110 §5.5)."""

CODINGS: tuple[tuple[str, ...], ...] = (
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding: identity",),
    ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: chunked, chunked",),
    ("Transfer-Encoding: chunked;p=1",),
    ("Transfer-Encoding: chunked,",),
    ('Transfer-Encoding: "chunked"',),
    ("Transfer-Encoding: gzip",),
    ("Transfer-Encoding: gzip, chunked",),
    ("Transfer-Encoding:",),
    ("Transfer-Encoding: \x0bchunked",),
    ("Transfer-Encoding: chunked\x00",),
    ("Transfer-Encoding: chunked", " , identity"),
    ("Transfer-Encoding: chunked", " identity"),
    ("Transfer-Encoding:", " chunked"),
    ("Transfer-Encoding : chunked",),
    ("Transfer-Encoding\t: chunked",),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    ("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
)
"""F-004: transfer codings that are not the one that is known."""

CHUNK_SIZES = (
    b"0x5",
    b"+5",
    b"5_0",
    b"-1",
    b" 5",
    b"\t5",
    b"g",
    b"",
    b"5\x00",
    b"5 5",
    b"1" + b"0" * 15 + b"5",
    b"f" * 17,
    b"5" * 100,
)
"""F-005: sizes of a chunk of five bytes that are no size, or far more than there is."""

BROKEN_CHUNKS = (
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b'5;a="\r"\r\nhello\r\n0\r\n\r\n',
    b"5;\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5;" + b"a" * (1 << 20) + b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhelloworld\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5\r\nhello\r\n0\n\n",
    b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
    b"5\r\nhello\r\n0\r\n folded: a\r\n\r\n",
    b"5\r\nhello\r\n0\r\na\x00: b\r\n\r\n",
)
"""F-006 and F-008: chunks that are cut wrongly, extensions and trailers that are none or too long."""

CHUNK_EXTENSIONS = (b"5;a", b"5;a=b", b'5;a="b;c"', b"5 ;a=b", b"5;a\x00b", b"000005")
"""What may follow a size, and means nothing to us."""

TRAILERS = ("Content-Length: 5", "Transfer-Encoding: gzip", "Host: elsewhere", "Authorization: Basic eDp5")
"""F-008: trailers that would change the request were they headers."""
