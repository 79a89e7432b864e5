"""The conformance kit: properties that every component must have, as pytest tests in one line.

It needs the extra `testing` of `vietmer-core` (pytest and hypothesis).
"""

from vietmer_core.testing.assembled import Assembled
from vietmer_core.testing.assembled_checks import MODEL_CHECKS
from vietmer_core.testing.candidates import Candidate, candidate_of
from vietmer_core.testing.cases import masked_sequences
from vietmer_core.testing.checks import CHECKS, Check, check_names
from vietmer_core.testing.failures import ConformanceError
from vietmer_core.testing.material import transcripts, waveforms
from vietmer_core.testing.profiles import register_profiles
from vietmer_core.testing.suite import all_registered, assembled_tests, conformance_tests, failing_checks, run_check

__all__ = [
    "CHECKS",
    "MODEL_CHECKS",
    "Assembled",
    "Candidate",
    "Check",
    "ConformanceError",
    "all_registered",
    "assembled_tests",
    "candidate_of",
    "check_names",
    "conformance_tests",
    "failing_checks",
    "masked_sequences",
    "register_profiles",
    "run_check",
    "transcripts",
    "waveforms",
]
