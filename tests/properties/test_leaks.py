"""The test of the tests: components that break one rule each are caught by the checks that should catch them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import Phase, settings
from torch import Tensor, nn

from vietmer_core.batch import Batch
from vietmer_core.components import Component, Role
from vietmer_core.model import EmotionModel
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import CHECKS, MODEL_CHECKS, Assembled, ConformanceError, candidate_of, failing_checks
from vietmer_core.testing.leaky import LEAKS, Leak
from vietmer_core.testing.leaky.pooling import PlainMean, UnguardedMean

ACTIVE = settings()

CAUGHT_ELSEWHERE = {
    "corpus_manifest": "test_corpus_checks.py",
    "corpus_audio": "test_corpus_checks.py",
    "corpus_licence": "test_corpus_checks.py",
    **dict.fromkeys(
        ("executor_ends", "executor_threads", "executor_survives", "executor_stops"), "test_executor_checks.py"
    ),
    **dict.fromkeys(
        ("importer_rows", "importer_manifest", "importer_deterministic", "importer_source", "importer_refusals"),
        "test_importer_checks.py",
    ),
    "assembled_poison": "test_a_model_that_multiplies_by_the_mask_is_caught, through `poison`",
}


@pytest.fixture(autouse=True)
def _no_shrinking() -> Iterator[None]:
    settings.register_profile("leaks", parent=ACTIVE, derandomize=True, max_examples=25, phases=[Phase.generate])
    settings.register_profile("as before", parent=ACTIVE)
    settings.load_profile("leaks")
    yield
    settings.load_profile("as before")


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_every_leak_is_caught_by_the_checks_named(leak: Leak) -> None:
    failures = failing_checks(leak.component, names=leak.caught_by)
    assert sorted(failures) == sorted(leak.caught_by)


def test_every_check_catches_something() -> None:
    caught = {name for leak in LEAKS for name in leak.caught_by}
    assert sorted(caught | set(CAUGHT_ELSEWHERE)) == sorted(CHECKS)


def test_a_failure_says_what_a_stranger_needs() -> None:
    (leak,) = (leak for leak in LEAKS if leak.name == "plain mean")
    message = failing_checks(leak.component, names=["alone_equals_batch"])["alone_equals_batch"]
    for part in ("alone_equals_batch", "pooler: leaky", "float64", "row ", "(sequence ", "at most ", "Control"):
        assert part in message


class MultiplyingModel(nn.Module):
    """A model that zeroes the padding of its input by multiplication, which NaN survives."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.model = EmotionModel(**parts)

    def forward(self, batch: Batch) -> Tensor:
        text, audio = (self._multiplied(sequence) for sequence in (batch.text, batch.audio))
        fused = self.model.fusion(text=self.model.text(text), audio=self.model.audio(audio))  # type: ignore[misc]  # both encoders are there
        logits: Tensor = self.model.head(self.model.poolers[0](fused[0]))
        return logits

    @staticmethod
    def _multiplied(sequence: MaskedSequence) -> MaskedSequence:
        return sequence.with_features(sequence.features * sequence.mask[..., None])


def _with_pooler(module: Callable[[int], nn.Module], model: Callable[..., nn.Module] = EmotionModel) -> Assembled:
    component = attrs.evolve(
        next(leak.component for leak in LEAKS if leak.component.role == Role.POOLER),
        build=lambda _params, *, dim: module(dim),
    )
    return Assembled(parts={Role.POOLER: candidate_of(component)}, model=model)


def _model_failures(model: Assembled) -> Mapping[str, str]:
    failures = {}
    for name, check in MODEL_CHECKS.items():
        try:
            check(model)
        except ConformanceError as error:
            failures[name] = str(error)
    return failures


def test_a_model_that_multiplies_by_the_mask_is_caught() -> None:
    failures = _model_failures(Assembled(parts={}, model=MultiplyingModel))
    assert set(failures) == {"poison"}
    assert "nan in the padding" in failures["poison"]


def test_a_leaky_pooler_is_caught_in_the_model() -> None:
    failures = _model_failures(_with_pooler(PlainMean))
    assert {"padding_width", "alone_equals_batch", "training_alone_equals_batch"} <= set(failures)


def test_a_pooler_of_nothing_poisons_the_model() -> None:
    assert {"empty_row", "empty_row_gradients"} <= set(_model_failures(_with_pooler(UnguardedMean)))


def test_the_components_of_the_list_are_registered_nowhere() -> None:
    components: list[Component] = [leak.component for leak in LEAKS]
    assert {component.kind for component in components} == {"leaky"}
