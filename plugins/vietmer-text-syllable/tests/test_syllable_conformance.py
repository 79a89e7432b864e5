from vietmer_core.testing import conformance_tests

WHOLE = {"dim": 8, "num_layers": 0, "num_heads": 2, "hidden_dim": 16, "whole": True}

test_conformance = conformance_tests("text", "syllable")
test_conformance_of_whole_syllables = conformance_tests("text", "syllable", params=WHOLE)
