"""Hypothesis profiles for the whole suite."""

import os

from hypothesis import settings

from vietmer_core.testing import register_profiles

register_profiles()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))
