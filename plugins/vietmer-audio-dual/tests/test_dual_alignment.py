import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate as stretch
from vietmer_audio_dual.alignment import TimeAxis, interpolate

SOURCE = TimeAxis(hop_samples=15_360, span_samples=15_600)
TARGET = TimeAxis(hop_samples=320, span_samples=400)
ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 200)), min_size=1, max_size=4)


def values_of(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def aligned(
    values: Tensor, counts: list[int], lengths: list[int], *, extra: int = 2, source: TimeAxis = SOURCE
) -> Tensor:
    return interpolate(
        values,
        torch.tensor(counts),
        lengths=torch.tensor(lengths),
        time=max(lengths) + extra,
        source=source,
        target=TARGET,
    )


def by_numpy(values: Tensor, length: int, source: TimeAxis = SOURCE) -> NDArray[np.float64]:
    centres = source.span_samples / 2 + source.hop_samples * np.arange(len(values))
    frames = TARGET.span_samples / 2 + TARGET.hop_samples * np.arange(length)
    columns = [np.interp(frames, centres, column) for column in values.detach().numpy().T]
    return np.stack(columns, axis=1)


@given(rows=ROWS, hop_samples=st.sampled_from([15_360, 7_680, 1_600, 160]))
def test_every_row_is_numpys_interpolation_of_its_own_values(rows: list[tuple[int, int]], hop_samples: int) -> None:
    counts, lengths = [count for count, _ in rows], [length for _, length in rows]
    source = TimeAxis(hop_samples=hop_samples, span_samples=15_600)
    values = values_of(sum(counts), seed=len(rows))
    found = aligned(values, counts, lengths, source=source)
    for row, own in enumerate(torch.split(values, counts)):
        length = lengths[row] if counts[row] else 0
        if length:
            np.testing.assert_allclose(found[row, :length].numpy(), by_numpy(own, length, source), rtol=0, atol=1e-12)
        assert not found[row, length:].any()


def test_centres_get_the_values_themselves_and_the_ends_stay_constant() -> None:
    centre = TimeAxis(hop_samples=320 * 4, span_samples=400 + 2 * 320 * 3)  # patch p stands over frame 3 + 4 p
    values = values_of(3)
    found = aligned(values, [3], [20], source=centre)[0]
    for patch, frame in enumerate((3, 7, 11)):
        assert torch.equal(found[frame], values[patch])
    assert torch.equal(found[5], (values[0] + values[1]) / 2)
    assert torch.equal(found[:3], values[0].expand(3, 3))
    assert torch.equal(found[12:20], values[2].expand(8, 3))


def test_interpolating_across_the_padded_width_gives_other_numbers() -> None:
    """The reference's way: the patches of a row are stretched over all frames of the batch."""
    values = values_of(4)
    ours = aligned(values, [4], [190], extra=0)[0]
    own_width = stretch(values.T[None], size=190, mode="linear")[0].T
    padded_width = stretch(values.T[None], size=400, mode="linear")[0].T[:190]
    assert (padded_width - own_width).abs().max() > 0.1
    assert (padded_width - ours).abs().max() > 0.1
    wide = aligned(values, [4], [190], extra=210)[0, :190]
    assert torch.equal(ours, wide)


def test_neighbours_change_no_bit() -> None:
    values = values_of(7)
    together = aligned(values, [2, 0, 5], [90, 7, 230])
    assert torch.equal(together[0, :90], aligned(values[:2], [2], [90])[0, :90])
    assert torch.equal(together[2, :230], aligned(values[2:], [5], [230])[0, :230])


def test_the_gradient_is_that_of_the_weights() -> None:
    values = values_of(5).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: aligned(given, [2, 0, 3], [60, 4, 130]), (values,))
    torch.autograd.backward(aligned(values, [2, 0, 3], [60, 4, 130]).sum())
    assert values.grad is not None
    torch.testing.assert_close(values.grad.sum(), torch.tensor(3.0 * (60 + 130), dtype=torch.float64))


@pytest.mark.parametrize("counts", [[0], [0, 0]])
def test_nothing_given_gives_zeros(counts: list[int]) -> None:
    found = aligned(values_of(0), counts, [5] * len(counts))
    assert found.shape == (len(counts), 7, 3)
    assert not found.any()
