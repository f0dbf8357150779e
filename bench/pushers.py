"""Many small pushes by eight clients. The requests are made beforehand and sent over bare sockets, so that the client,
which runs on the server's cores, takes little of them."""

import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from entrepot.testing.images import SampleBlob

CLIENTS = 8
LOCATION = re.compile(rb"\r\nlocation: (?:https?://[^/]+)?(/[^\r]+)\r\n", re.IGNORECASE)


def push_small(url: str, repository: str, number: int, size: int) -> float:
    """Push this many random blobs by POST and PUT, spread over the clients; return the blobs in a second."""
    shares = [[SampleBlob(os.urandom(size)) for _ in range(number // CLIENTS)] for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        started = time.monotonic()
        pushing = [threads.submit(_push, url, repository, share) for share in shares]
        pushed = sum(one.result() for one in pushing)
        return pushed / (time.monotonic() - started)


def _push(url: str, repository: str, blobs: list[SampleBlob]) -> int:
    parts = urlsplit(url)
    host = f"Host: {parts.netloc}\r\n"
    post = f"POST /v2/{repository}/blobs/uploads/ HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for blob in blobs:
            location = LOCATION.search(_exchange(connection, post, b"202"))
            if location is None:
                raise ConnectionError(f"{url}: 202 without Location")
            target = location.group(1).decode()
            put = (
                f"PUT {target}{'&' if '?' in target else '?'}digest={blob.digest} HTTP/1.1\r\n{host}"
                f"Content-Type: application/octet-stream\r\nContent-Length: {len(blob.content)}\r\n\r\n"
            )
            _exchange(connection, put.encode() + blob.content, b"201")
    return len(blobs)


def _exchange(connection: socket.socket, request: bytes, status: bytes) -> bytes:
    # Neither answer has a body.
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed in the middle of an answer")
        answer += piece
    if answer[9:12] != status:
        raise ConnectionError(answer.decode(errors="replace"))
    return answer
