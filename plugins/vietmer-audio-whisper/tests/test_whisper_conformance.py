from pathlib import Path

from vietmer_core.testing import conformance_tests

ONE_SECOND = {"checkpoint": str(Path(__file__).parent / "one_second"), "weights": "random", "freeze": False}

test_conformance_of_windows = conformance_tests("audio", "whisper")
test_conformance_of_whole_utterances = conformance_tests(
    "audio", "whisper", params={**ONE_SECOND, "window_seconds": 1.0, "overlap_seconds": 0.0, "layers": "weighted_sum"}
)
test_conformance_padded_to_the_window = conformance_tests(
    "audio",
    "whisper",
    params={**ONE_SECOND, "window_seconds": 1.0, "overlap_seconds": 0.1, "pad_to_30s": True, "short": "pad"},
)
test_conformance_with_spec_augment = conformance_tests(
    "audio",
    "whisper",
    params={
        **ONE_SECOND,
        "window_seconds": 1.0,
        "overlap_seconds": 0.1,
        "spec_augment": {"time_probability": 0.3, "time_span": 2, "feature_probability": 0.3, "feature_span": 2},
    },
)
