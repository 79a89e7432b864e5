"""The one place that says how many examples a check tries."""

from typing import Final

from hypothesis import HealthCheck, settings

QUICK_EXAMPLES: Final = 8
"""Examples of a check, unless the profile in force asks for a search."""

DEFAULT_EXAMPLES: Final = 100
"""Hypothesis's own default: a profile that asks for more is a search, not a test run."""


def register_profiles() -> None:
    """Register the house's hypothesis profiles: `tests` (quick, always the same examples) and `properties` (200)."""
    settings.register_profile("tests", derandomize=True, max_examples=25, deadline=None, database=None)
    settings.register_profile("properties", max_examples=200, deadline=None, database=None, print_blob=True)


def is_search() -> bool:
    """Whether the profile in force asks for a search, such as `properties`."""
    return settings().max_examples > DEFAULT_EXAMPLES


def check_settings() -> settings:
    """The settings of one check: few examples, the same on every run, so that a stranger's suite never flickers.

    A hypothesis profile that asks for more than 100 examples, such as `properties`, is honoured as it stands.
    """
    current, thorough = settings(), is_search()
    return settings(
        parent=current,
        deadline=None,
        database=None,
        derandomize=current.derandomize or not thorough,
        report_multiple_bugs=False,
        max_examples=current.max_examples if thorough else min(current.max_examples, QUICK_EXAMPLES),
        suppress_health_check=list(HealthCheck),
    )
