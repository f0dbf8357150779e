"""Tests. Modules that hold assertions but no tests are named here, so that a failing one shows its values."""

import pytest

pytest.register_assert_rewrite("tests.repositories", "tests.conformance.checks", "tests.api.checks")
