"""The load generators: wrk for many GETs, ab for HEADs, curl for one large stream; all refuse bad answers."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.real.processes import ProgramFailed, run

HERE = Path(__file__).parent
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Rate:
    """What a server answered in a second."""

    requests: float
    megabytes: float
    p99: float
    """Milliseconds in which 99 of 100 answers had come."""


def get_many(
    url: str,
    seconds: float,
    headers: Mapping[str, str],
    *,
    ranges: bool = False,
    connections: int = CONNECTIONS,
    threads: int = 2,
) -> Rate:
    """GET one URL over many connections; raise ProgramFailed for any answer that is not a good one."""
    script = HERE / ("wrk_ranges.lua" if ranges else "wrk_report.lua")
    options = [f"-d{max(1, round(seconds))}", f"-c{connections}", f"-t{threads}", "--timeout=60s", f"-s{script}"]
    given = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    printed = run(["wrk", *options, *given, url])
    found = json.loads(printed.strip().splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise ProgramFailed(f"wrk {url}: {printed}")
    duration = found["microseconds"] / 1e6
    return Rate(found["requests"] / duration, found["bytes"] / duration / 1e6, found["p99"] / 1000)


def head_many(url: str, seconds: float, headers: Mapping[str, str]) -> float:
    """HEAD one URL over 32 connections and return the answers in a second."""
    given = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    limit = ["-t", str(max(1, round(seconds))), "-n", "10000000"]
    printed = run(["ab", "-i", "-k", "-q", "-r", "-c", str(CONNECTIONS), *limit, *given, url])
    rate = re.search(r"Requests per second: +([\d.]+)", printed)
    if rate is None or "Non-2xx" in printed or not re.search(r"Failed requests: +0\b", printed):
        raise ProgramFailed(f"ab {url}: {printed}")
    return float(rate.group(1))


def get_once(url: str, *options: str) -> float:
    """GET one URL with curl and return the seconds that it took."""
    return _curl(url, 200, "time_total", *options)


def first_byte(url: str) -> float:
    """GET one URL with curl and return the seconds until the first byte of the answer."""
    return _curl(url, 200, "time_starttransfer")


def put_file(url: str, path: Path) -> float:
    """PUT a file with curl in one request and return the seconds until the answer."""
    headers = ("-H", "Content-Type: application/octet-stream", "-H", "Expect:")
    return _curl(url, 201, "time_total", "-T", str(path), "-X", "PUT", *headers)


def _curl(url: str, status: int, time: str, *options: str) -> float:
    report = f"%{{http_code}} %{{{time}}}"
    answered, seconds = run(["curl", "-sS", "-k", "-o", "/dev/null", "-w", report, *options, url]).split()
    if int(answered) != status:
        raise ProgramFailed(f"curl {url}: {answered}")
    return float(seconds)
