"""Hypothesis profiles for the tests of every plugin."""  # noqa: INP001  # pytest looks for it here; the folders of plugins are no packages

import os

from hypothesis import settings

from vietmer_core.testing import register_profiles

register_profiles()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))
