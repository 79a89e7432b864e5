"""The audio baseline passes the kit; what both baselines of one modality compute is tested in the core's tests."""

from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("fusion", "audio_only")
