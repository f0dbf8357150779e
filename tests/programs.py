"""Programs that some tests need beside Python: found, or the test is skipped; where CI=true, it fails."""

import os
import shutil
from typing import NoReturn

import pytest


def need_root(program: str) -> None:
    """Skip the running test, which runs `program`, unless root runs it; where CI=true, fail."""
    if os.geteuid() != 0:
        _do_without(f"{program} needs root")


def need(program: str) -> str:
    """Return the path of `program`; without it the running test is skipped, or fails where CI=true."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        _do_without(f"{program} is not installed")
    return path


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must run everything")
    pytest.skip(reason)
