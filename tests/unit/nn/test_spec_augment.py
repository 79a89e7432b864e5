from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from vietmer_core.nn.draws import utterance_draws
from vietmer_core.nn.spec_augment import feature_mask, span_mask

MOST_UNLIKELY = 1e-4


def seeds(rows: int) -> Tensor:
    return utterance_draws(torch.arange(rows), seed=0, epoch=0)


def masks(length: int, rows: int, **settings: Any) -> Tensor:
    lengths = torch.full((rows,), length)
    return span_mask(lengths, seeds(rows), time=length, stream=0, **settings)


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=6),
    extra=st.integers(0, 9),
    probability=st.floats(0, 1),
    span=st.integers(1, 12),
    min_spans=st.integers(0, 3),
)
def test_a_row_is_masked_alike_in_every_batch_and_never_in_its_padding(
    lengths: list[int], extra: int, probability: float, span: int, min_spans: int
) -> None:
    settings: dict[str, Any] = {"probability": probability, "span": span, "min_spans": min_spans, "stream": 1}
    draws, width = seeds(len(lengths)), max(lengths) + extra
    batch = span_mask(torch.tensor(lengths), draws, time=width, **settings)
    for row, length in enumerate(lengths):
        alone = span_mask(torch.tensor([length]), draws[row : row + 1], time=length, **settings)
        assert torch.equal(batch[row, :length], alone[0])
        assert not batch[row, length:].any()


def test_transformers_lets_the_padded_width_decide() -> None:
    """The counter-example: the same utterance at the same seed, beside a neighbour of another length."""
    theirs = pytest.importorskip("transformers.models.wav2vec2.modeling_wav2vec2")._compute_mask_indices
    drawn = []
    for width in (40, 80):
        real = torch.arange(width)[None] < torch.tensor([[width], [40]])
        state = np.random.get_state()  # noqa: NPY002  # transformers draws from it
        np.random.seed(0)  # noqa: NPY002  # as above
        drawn.append(theirs((2, width), 0.3, 5, attention_mask=real.long())[1, :40])
        np.random.set_state(state)  # noqa: NPY002  # as above
    assert not np.array_equal(*drawn)


def _theirs(length: int, rows: int, **settings: Any) -> Tensor:
    """transformers' masks of utterances alone, one call each."""
    compute = pytest.importorskip("transformers.models.wav2vec2.modeling_wav2vec2")._compute_mask_indices
    state = np.random.get_state()  # noqa: NPY002  # transformers draws from it
    np.random.seed(0)  # noqa: NPY002  # as above
    found = np.concatenate(
        [
            compute((1, length), settings["probability"], settings["span"], min_masks=settings["min_spans"])
            for _ in range(rows)
        ]
    )
    np.random.set_state(state)  # noqa: NPY002  # as above
    return torch.from_numpy(found)


def _same_distribution(first: Tensor, second: Tensor) -> float:
    """The p-value of two samples of whole numbers being one distribution; rare values together."""
    values = set(torch.cat([first, second]).tolist())
    table = np.array([[int((sample == value).sum()) for value in values] for sample in (first, second)])
    rare = table.sum(axis=0) < 20
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    return 1.0 if table.shape[1] < 2 else float(stats.chi2_contingency(table).pvalue)


@pytest.mark.parametrize(
    ("length", "probability", "span", "min_spans"),
    [(49, 0.065, 10, 0), (49, 0.5, 10, 2), (20, 0.3, 3, 0), (20, 1.0, 4, 0), (12, 0.05, 10, 2), (11, 0.9, 10, 0)],
)
def test_an_utterance_alone_is_masked_as_by_transformers(
    length: int, probability: float, span: int, min_spans: int
) -> None:
    settings = {"probability": probability, "span": span, "min_spans": min_spans}
    rows = 3000
    ours, theirs = masks(length, rows, **settings), _theirs(length, rows, **settings)
    assert _same_distribution(ours.sum(dim=1), theirs.sum(dim=1)) > MOST_UNLIKELY
    runs = [(mask[:, 1:] & ~mask[:, :-1]).sum(dim=1) + mask[:, 0] for mask in (ours, theirs)]  # separate spans
    assert _same_distribution(*runs) > MOST_UNLIKELY
    shares = [mask.double().mean(dim=0) for mask in (ours, theirs)]  # of each frame
    pooled = (shares[0] + shares[1]) / 2
    error = (2 * pooled * (1 - pooled) / rows).sqrt()
    assert bool(((shares[0] - shares[1]).abs() <= 4.5 * error + 1e-12).all())


def test_another_number_of_spans_would_be_noticed() -> None:
    """The counter-example: rounding half up where a uniform number must be added."""
    length, rows = 49, 3000
    settings = {"probability": 0.5, "span": 10, "min_spans": 0}
    always_two = masks(length, rows, probability=0.0, span=10, min_spans=2)
    assert _same_distribution(always_two.sum(dim=1), _theirs(length, rows, **settings).sum(dim=1)) < MOST_UNLIKELY


@pytest.mark.parametrize("length", range(13))
def test_a_row_shorter_than_a_span_is_not_masked(length: int) -> None:
    assert bool(masks(length, 50, probability=1.0, span=10, min_spans=5).any()) == (length >= 10)


def test_every_start_is_as_likely() -> None:
    found = masks(12, 6000, probability=0.0, span=1, min_spans=1)
    assert bool((found.sum(dim=1) == 1).all())
    assert stats.chisquare(found.sum(dim=0).numpy()).pvalue > MOST_UNLIKELY


def test_streams_rows_and_epochs_differ() -> None:
    first = masks(60, 40, probability=0.3, span=4)
    lengths = torch.full((40,), 60)
    other = span_mask(lengths, seeds(40), time=60, probability=0.3, span=4, stream=1)
    later = utterance_draws(torch.arange(40), seed=0, epoch=1)
    next_epoch = span_mask(lengths, later, time=60, probability=0.3, span=4, stream=0)
    for mask in (other, next_epoch, first.roll(1, dims=0)):
        assert not (mask == first).all(dim=1).any()


def test_without_seeds_torchs_generator_gives_them() -> None:
    lengths = torch.full((3,), 40)
    with torch.random.fork_rng(devices=[]):
        found = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            found.append(span_mask(lengths, None, time=40, probability=0.3, span=4, stream=0))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0][0], found[0][1])


def test_columns_are_masked_in_spans() -> None:
    found = feature_mask(seeds(500), dim=32, probability=0.25, span=8, stream=0)
    assert found.shape == (500, 32)
    assert torch.equal(found[:1], feature_mask(seeds(1), dim=32, probability=0.25, span=8, stream=0))
    assert found.sum(dim=1).tolist() == [8] * 500  # 0.25 * 32 / 8 is a whole number


@pytest.mark.parametrize(
    ("probability", "span", "said"),
    [(1.5, 2, "`probability` must lie between 0 and 1, but is 1.5"), (0.5, 0, "`span` must be at least 1, but is 0")],
)
def test_settings_out_of_range_are_refused(probability: float, span: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        masks(5, 1, probability=probability, span=span)


def test_a_compiled_mask_is_the_same() -> None:
    compiled = torch.compile(span_mask, backend="aot_eager", fullgraph=True)
    lengths = torch.tensor([5, 17, 0])
    settings: dict[str, Any] = {"time": 20, "probability": 0.4, "span": 3, "stream": 0}
    assert torch.equal(compiled(lengths, seeds(3), **settings), span_mask(lengths, seeds(3), **settings))
