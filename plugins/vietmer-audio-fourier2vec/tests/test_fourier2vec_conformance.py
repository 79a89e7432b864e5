from vietmer_core.testing import conformance_tests

HIDDEN = {"time_probability": 0.3, "time_span": 2, "feature_probability": 0.3, "feature_span": 2}
SMALL = {"num_mels": 8, "patch_frames": 2, "dim": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16}

test_conformance = conformance_tests("audio", "fourier2vec")
test_conformance_with_spec_augment = conformance_tests("audio", "fourier2vec", params={**SMALL, "spec_augment": HIDDEN})
