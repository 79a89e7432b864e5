"""For every test: one thread for each process, and the hypothesis profiles."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the processes of a parallel run share the cores

from hypothesis import settings

from vietmer_core.testing import register_profiles

register_profiles()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))
