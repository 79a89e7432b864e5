"""What is drawn for an utterance depends on the seed, the epoch and its identity, and on nothing else."""

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from vietmer_core.augment.factory import waveform_augmentation
from vietmer_core.augment.operation import WaveformOperation
from vietmer_core.augment.pipeline import DrawnOperation, WaveformAugmentation
from vietmer_core.augment.streams import operation_numbers
from vietmer_core.spec_augmentation import AugmentSpec

Waveform = NDArray[np.float32]
Voice = Callable[..., Waveform]
Change = Callable[[Waveform, int, int], Waveform]
RATE = 16_000
EVERYTHING: list[dict[str, Any]] = [
    {"kind": "speed", "probability": 0.6},
    {"kind": "noise", "probability": 0.6},
    {"kind": "gain", "probability": 0.6},
    {"kind": "codec", "probability": 0.6},
    {"kind": "band", "probability": 0.6},
    {"kind": "noise", "probability": 0.6, "colours": ["white"]},
]


def frames(num_samples: int) -> int:
    return num_samples // 160


def augmentation_of(*operations: dict[str, Any], seed: int = 3) -> WaveformAugmentation:
    spec = AugmentSpec.model_validate({"waveform": operations})
    made = waveform_augmentation(spec, sampling_rate=RATE, seed=seed)
    assert made is not None
    return made


def changer(augmentation: WaveformAugmentation) -> Change:
    return lambda waveform, identity, epoch: augmentation(waveform, identity=identity, epoch=epoch, num_frames=frames)


def same_in_any_order(change: Change, waveforms: Sequence[Waveform], order: Sequence[int]) -> bool:
    """Whether utterances are changed alike one after the other, and in another order after others."""
    straight = [change(waveform, place, 1) for place, waveform in enumerate(waveforms)]
    shuffled = {place: change(waveforms[place], place, 1) for place in order}
    return all(np.array_equal(straight[place], found) for place, found in shuffled.items())


@given(order=st.permutations(range(5)), seed=st.integers(0, 2**62))
def test_an_utterance_is_changed_alike_in_any_order(order: list[int], seed: int) -> None:
    numbers = np.random.default_rng(1)
    waveforms = [0.1 * numbers.standard_normal(2000 + 100 * n).astype(np.float32) for n in range(5)]
    assert same_in_any_order(changer(augmentation_of(*EVERYTHING, seed=seed)), waveforms, order)


def test_draws_of_a_global_generator_or_of_a_place_in_a_batch_are_noticed() -> None:
    waveforms = [np.linspace(-0.1, 0.1 * (n + 1), 2000, dtype=np.float32) for n in range(5)]
    shared = np.random.default_rng(0)
    calls = iter(range(100))

    def globally(waveform: Waveform, _: int, __: int) -> Waveform:
        return (waveform * shared.uniform(0.5, 2)).astype(np.float32)

    def by_place(waveform: Waveform, _: int, epoch: int) -> Waveform:
        return changer(augmentation_of(*EVERYTHING))(waveform, next(calls) % 5, epoch)

    order = [4, 2, 0, 1, 3]
    assert not same_in_any_order(globally, waveforms, order)
    assert not same_in_any_order(by_place, waveforms, order)
    assert same_in_any_order(changer(augmentation_of(*EVERYTHING)), waveforms, order)


def test_another_epoch_seed_or_utterance_draws_other_numbers(voice: Voice) -> None:
    waveform = voice(0.3)
    always: list[dict[str, Any]] = [{**operation, "probability": 1} for operation in EVERYTHING[:3]]
    change = changer(augmentation_of(*always))
    results = [change(waveform, identity, epoch) for identity in range(4) for epoch in range(4)]
    results.append(changer(augmentation_of(*always, seed=4))(waveform, 0, 0))
    assert len({result.tobytes() for result in results}) == len(results)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"seed": 1, "epoch": 23}, {"seed": 12, "epoch": 3}),
        ({"epoch": 1, "identity": 23}, {"epoch": 12, "identity": 3}),
        ({"seed": 2**32, "epoch": 0}, {"seed": 0, "epoch": 2**32}),
    ],
)
def test_streams_do_not_meet(one: dict[str, int], other: dict[str, int]) -> None:
    base: dict[str, int] = {"seed": 5, "epoch": 5, "identity": 5}
    first, second = (operation_numbers(**{**base, **given}, operation="noise.0") for given in (one, other))
    assert first.random() != second.random()


def test_the_numbers_are_these_on_every_machine() -> None:
    numbers = operation_numbers(seed=1, epoch=2, identity=3, operation="noise.0")
    assert [int(bits) for bits in numbers.integers(0, 2**32, 3)] == [1631623295, 1845663671, 3335673779]


@final
class Told:
    """Notes the first number that it is given."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def __call__(self, waveform: Waveform, numbers: np.random.Generator, /) -> Waveform:
        self.found.append(numbers.random())
        return waveform


def told(names: Sequence[str], probability: float = 1.0) -> tuple[WaveformAugmentation, dict[str, Told]]:
    spies = {name: Told() for name in names}
    operations = tuple(DrawnOperation(name=name, probability=probability, operation=spy) for name, spy in spies.items())
    return WaveformAugmentation(operations=operations, seed=3), spies


def test_an_operation_beside_it_changes_nothing_of_what_one_draws(voice: Voice) -> None:
    waveform = voice(0.1)
    found = []
    for names in (["gain.0"], ["noise.0", "gain.0"], ["gain.0", "noise.0", "noise.1"]):
        augmentation, spies = told(names)
        for identity in range(10):
            augmentation(waveform, identity=identity, epoch=0, num_frames=frames)
        found.append(spies["gain.0"].found)
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 10
    assert not set(found[0]) & set(spies["noise.0"].found)
    assert not set(spies["noise.0"].found) & set(spies["noise.1"].found)


def test_operations_are_named_by_their_kind_and_number() -> None:
    names = [drawn.name for drawn in augmentation_of(*EVERYTHING).operations]
    assert names == ["speed.0", "noise.0", "gain.0", "codec.0", "band.0", "noise.1"]


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_probability_is_the_share_of_the_utterances(voice: Voice, probability: float) -> None:
    waveform = voice(0.02)
    augmentation, spies = told(["a.0", "b.0"], probability)
    changed = []
    for identity in range(3000):
        before = [len(spy.found) for spy in spies.values()]
        augmentation(waveform, identity=identity, epoch=7, num_frames=frames)
        changed.append([len(spy.found) - count for spy, count in zip(spies.values(), before, strict=True)])
    shares = np.array(changed).sum(axis=0)
    both = int((np.array(changed).sum(axis=1) == 2).sum())
    for count in shares:
        assert binomtest(int(count), 3000, probability).pvalue > 1e-4
    assert binomtest(both, 3000, probability**2).pvalue > 1e-4, "each operation is drawn by itself"


def once(operation: WaveformOperation) -> WaveformAugmentation:
    return WaveformAugmentation(operations=(DrawnOperation(name="x.0", probability=1.0, operation=operation),), seed=0)


@pytest.mark.parametrize(
    "spoilt", [np.zeros(0, np.float32), np.zeros(1600, np.float32), np.arange(100, dtype=np.float32)]
)
def test_an_operation_behind_which_nothing_is_left_is_left_out(voice: Voice, spoilt: Waveform) -> None:
    waveform = voice(0.1)
    found = once(lambda _, __: spoilt)(waveform, identity=0, epoch=0, num_frames=frames)
    np.testing.assert_array_equal(found, waveform)


@pytest.mark.parametrize("waveform", [np.zeros(0, np.float32), np.full(1600, 0.5, np.float32), np.ones(3, np.float32)])
def test_an_utterance_that_cannot_be_used_is_left_to_be_refused(waveform: Waveform) -> None:
    change = changer(augmentation_of({"kind": "noise", "probability": 1}, {"kind": "speed", "probability": 1}))
    assert change(waveform, 0, 0) is waveform


@pytest.mark.parametrize("operation", EVERYTHING, ids=lambda operation: operation["kind"])
def test_what_was_read_is_not_written_to(voice: Voice, operation: dict[str, Any]) -> None:
    waveform = voice(0.2)
    waveform.flags.writeable = False
    before = waveform.copy()
    found = changer(augmentation_of({**operation, "probability": 1}))(waveform, 1, 1)
    assert found.dtype == np.float32
    assert not np.shares_memory(found, waveform)
    np.testing.assert_array_equal(waveform, before)


@given(length=st.integers(1, 900), identity=st.integers(0, 2**63 - 1))
def test_short_utterances_are_changed_or_left_but_never_lost(length: int, identity: int) -> None:
    always: list[dict[str, Any]] = [{**operation, "probability": 1} for operation in EVERYTHING]
    waveform = np.sin(np.arange(length, dtype=np.float32) / 3)
    found = changer(augmentation_of(*always))(waveform, identity, 0)
    assert np.isfinite(found).all()
    assert (frames(len(found)) > 0) == (frames(length) > 0)
