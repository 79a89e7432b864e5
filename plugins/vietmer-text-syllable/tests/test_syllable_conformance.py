from vietmer_core.testing import conformance_tests

SMALL = {"dim": 8, "num_heads": 2, "hidden_dim": 16, "whole": True}

test_conformance = conformance_tests("text", "syllable")
test_conformance_whole = conformance_tests("text", "syllable", params={**SMALL, "num_layers": 1})
test_conformance_without_blocks = conformance_tests("text", "syllable", params={**SMALL, "num_layers": 0})
