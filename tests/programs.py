"""Programs that some tests need beside Python: found, or the test is skipped; where CI=true, it fails."""

import os
import shutil

import pytest


def need(program: str) -> str:
    """Return the path of `program`; without it the running test is skipped, or fails where CI=true."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
    if path is not None:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI must run everything")
    pytest.skip(f"{program} is not installed")
