from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.testing import conformance_tests

HIDDEN = {"time_probability": 0.3, "time_span": 2, "feature_probability": 0.3, "feature_span": 2}
TINY = installed_catalogue().component(Role.AUDIO, "wav2vec2").tiny

test_conformance = conformance_tests("audio", "wav2vec2")
test_conformance_with_spec_augment = conformance_tests(
    "audio", "wav2vec2", params={**TINY, "freeze": False, "spec_augment": HIDDEN}
)
