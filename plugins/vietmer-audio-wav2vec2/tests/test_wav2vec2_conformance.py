from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("audio", "wav2vec2")
