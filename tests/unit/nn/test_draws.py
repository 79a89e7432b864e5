import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from vietmer_core.nn.draws import chosen, folded, fresh_draws, part_draws, random_bits, uniforms, utterance_draws

SPLITMIX_OF_1234567 = (6457827717110365317, 3203168211198807973, 9817491932198370423)
"""The first numbers of the published generator (Vigna, splitmix64.c) at that seed."""

MOST_UNLIKELY = 1e-4
"""A right generator fails a test this often, at another seed; these seeds are fixed."""


def seeds(rows: int, *, seed: int = 0) -> Tensor:
    return utterance_draws(torch.arange(rows), seed=seed, epoch=0)


def reference(seed: int, *numbers: int) -> int:
    """`folded` in Python's unbounded integers."""
    state = seed % 2**64
    for number in numbers:
        state = (state + (number + 1) * 0x9E3779B97F4A7C15) % 2**64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return state


@pytest.mark.parametrize(("number", "published"), list(enumerate(SPLITMIX_OF_1234567)))
def test_the_mixing_is_that_of_splitmix64(number: int, published: int) -> None:
    assert int(folded(torch.tensor([1234567]), number)) % 2**64 == published


@given(seed=st.integers(-(2**63), 2**63 - 1), number=st.integers(0, 2**63 - 1))
def test_tensors_wrap_as_64_bits_do(seed: int, number: int) -> None:
    draws = torch.tensor([seed])
    assert int(folded(draws, number)) % 2**64 == reference(seed, number)
    assert int(folded(draws, torch.tensor([number]))) % 2**64 == reference(seed, number)


@given(shape=st.lists(st.integers(0, 5), max_size=4), extra=st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_a_wider_shape_holds_the_numbers_of_a_narrower_one(shape: list[int], extra: list[int]) -> None:
    draws = seeds(3)
    wide_shape = [size + more for size, more in zip(shape, extra, strict=False)]
    narrow, wide = uniforms(draws, stream=2, shape=shape), uniforms(draws, stream=2, shape=wide_shape)
    assert narrow.shape == (3, *shape)
    assert torch.equal(narrow, wide[(slice(None), *(slice(size) for size in shape))])


@given(order=st.permutations(range(4)))
def test_a_row_draws_the_same_alone_and_wherever_it_stands(order: list[int]) -> None:
    draws = seeds(4)
    together = uniforms(draws, stream=0, shape=(3, 5))
    assert torch.equal(uniforms(draws[order], stream=0, shape=(3, 5)), together[order])
    assert torch.equal(uniforms(draws[:1], stream=0, shape=(3, 5)), together[:1])


def test_numbers_of_torch_change_with_the_width() -> None:
    """The counter-example: what torch draws over a padded batch."""
    rows = []
    for width in (5, 7):
        generator = torch.Generator().manual_seed(0)
        rows.append(torch.rand(3, width, generator=generator)[:, :5])
    assert not torch.equal(*rows)


def test_numbers_lie_in_the_half_open_interval() -> None:
    numbers = uniforms(seeds(50), stream=1, shape=(2000,))
    assert numbers.dtype == torch.float32
    assert 0 <= float(numbers.min()) < 1e-4
    assert 1 - 1e-4 < float(numbers.max()) < 1
    assert bool((numbers * 2**24 == (numbers * 2**24).round()).all())


def test_mean_and_spread_are_those_of_uniform_numbers() -> None:
    numbers = uniforms(seeds(20), stream=0, shape=(100, 50)).double()
    error = 1 / math.sqrt(12 * numbers.numel())
    assert abs(float(numbers.mean()) - 0.5) < 4 * error
    assert abs(float(numbers.var()) * 12 - 1) < 0.02


@pytest.mark.parametrize("shape", [(100_000,), (300, 333), (20, 50, 100), (2, 50_000)])
def test_every_interval_is_hit_alike(shape: tuple[int, ...]) -> None:
    numbers = uniforms(seeds(1), stream=5, shape=shape).flatten()
    counts = torch.histc(numbers, bins=64, min=0, max=1)
    assert stats.chisquare(counts.numpy()).pvalue > MOST_UNLIKELY


@pytest.mark.parametrize("bit", [0, 1, 8, 15, 16, 23, 30, 31])
def test_every_bit_is_set_half_the_time(bit: int) -> None:
    bits = random_bits(seeds(10), stream=0, shape=(10_000,))
    ones = int(((bits >> bit) & 1).sum())
    assert abs(ones - 50_000) < 4 * math.sqrt(100_000 / 4)


def _pairs() -> dict[str, tuple[Tensor, Tensor]]:
    many = seeds(200)
    table = uniforms(many, stream=0, shape=(20, 50))
    epochs = [
        uniforms(utterance_draws(torch.arange(200), seed=0, epoch=epoch), stream=0, shape=(1000,)) for epoch in (0, 1)
    ]
    runs = [
        uniforms(utterance_draws(torch.arange(200), seed=seed, epoch=0), stream=0, shape=(1000,)) for seed in (0, 1)
    ]
    plain = uniforms(torch.arange(200), stream=0, shape=(1000,))  # seeds that differ in their last bits alone
    return {
        "neighbouring rows": (table[:-1], table[1:]),
        "rows of neighbouring seeds": (plain[:-1], plain[1:]),
        "streams": (table, uniforms(many, stream=1, shape=(20, 50))),
        "places": (table[..., :-1], table[..., 1:]),
        "the two halves of 64 bits": (table[..., ::2], table[..., 1::2]),
        "places of the outer axis": (table[:, :-1], table[:, 1:]),
        "transposed places": (table[:, :10, 10:20], table[:, 10:20, :10].mT),
        "epochs": (epochs[0], epochs[1]),
        "runs": (runs[0], runs[1]),
    }


PAIRS = _pairs()


@pytest.mark.parametrize("name", PAIRS)
def test_no_two_series_go_together(name: str) -> None:
    first, second = (series.flatten().double() for series in PAIRS[name])
    correlation = float(torch.corrcoef(torch.stack([first, second]))[0, 1])
    assert abs(correlation) < 4 / math.sqrt(len(first))
    joint = torch.histogramdd(torch.stack([first, second], dim=1), bins=[8, 8], range=[0.0, 1.0, 0.0, 1.0]).hist
    assert stats.chisquare(joint.flatten().numpy()).pvalue > MOST_UNLIKELY


def test_series_that_do_go_together_are_noticed() -> None:
    """The counter-example: the neighbour as a weak copy."""
    first, second = (series.flatten().double() for series in PAIRS["streams"])
    copied = torch.stack([first, 0.95 * second + 0.05 * first])
    assert abs(float(torch.corrcoef(copied)[0, 1])) > 4 / math.sqrt(len(first))


def test_no_two_of_many_numbers_are_equal_too_often() -> None:
    bits = random_bits(seeds(100), stream=0, shape=(1000,)).flatten()
    expected = len(bits) ** 2 / 2 / 2**32
    assert len(bits) - len(set(bits.tolist())) < expected + 5 * math.sqrt(expected)


def test_seeds_follow_from_run_epoch_and_identity() -> None:
    identities = torch.tensor([3, 2**62, 3])
    draws = utterance_draws(identities, seed=7, epoch=2)
    assert draws[0] == draws[2] != draws[1]
    assert torch.equal(draws, utterance_draws(identities, seed=7, epoch=2))
    for other in (utterance_draws(identities, seed=8, epoch=2), utterance_draws(identities, seed=7, epoch=3)):
        assert not (other == draws).any()
    assert utterance_draws(identities, seed=2, epoch=7)[0] != draws[0]


def test_parts_of_a_row_have_seeds_of_their_own() -> None:
    draws = seeds(2)
    owners, positions = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    parts = part_draws(draws, owners=owners, positions=positions)
    assert parts is not None
    assert len(set(parts.tolist())) == 3
    alone = part_draws(draws[1:], owners=torch.tensor([0]), positions=torch.tensor([0]))
    assert alone is not None
    assert torch.equal(alone, parts[2:])
    assert part_draws(None, owners=owners, positions=positions) is None


def test_fresh_seeds_follow_torchs_generator() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = fresh_draws(4)
        torch.manual_seed(1)
        assert torch.equal(fresh_draws(4), first)
        assert not (fresh_draws(4) == first).any()


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_choices_come_as_often_as_asked(probability: float) -> None:
    found = chosen(seeds(10), stream=3, shape=(10_000,), probability=probability).double().mean()
    assert abs(float(found) - probability) <= 4 * math.sqrt(probability * (1 - probability) / 100_000) + 1e-9


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (0, 3), (2, 0, 4)])
def test_nothing_is_drawn_for_no_place(shape: Sequence[int]) -> None:
    assert uniforms(seeds(2), stream=0, shape=shape).shape == (2, *shape)


def test_a_compiled_draw_is_the_same() -> None:
    compiled = torch.compile(uniforms, backend="aot_eager", fullgraph=True)
    draws = seeds(3)
    assert torch.equal(compiled(draws, stream=4, shape=(5, 7)), uniforms(draws, stream=4, shape=(5, 7)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same_bits() -> None:
    draws = seeds(5)
    on_gpu = uniforms(draws.cuda(), stream=4, shape=(50, 33)).cpu()
    assert torch.equal(on_gpu, uniforms(draws, stream=4, shape=(50, 33)))
