"""Whole models keep the promises of their parts, and refuse poison."""

from vietmer_core.testing import assembled_tests

test_assembled = assembled_tests()
