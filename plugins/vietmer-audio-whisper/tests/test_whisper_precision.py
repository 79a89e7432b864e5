from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, _dynamo
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.frontend import WhisperFrontend

from vietmer_core.sequence import MaskedSequence, pad_rows

WhisperOf = Callable[[dict[str, Any]], tuple[WhisperFrontend, WhisperAudioEncoder]]
Speech = Callable[..., Tensor]


def half_gap(encoder: WhisperAudioEncoder, sequence: MaskedSequence, dtype: torch.dtype) -> float:
    """Largest difference from float32 over the largest number; the gradients must be finite."""
    encoder.float().train()
    with torch.no_grad():
        expected = encoder(sequence).features
    with torch.autocast("cpu", dtype=dtype):
        output = encoder(sequence).features
    torch.autograd.backward(output.float().square().mean())
    gradients = [value.grad for value in encoder.parameters() if value.requires_grad]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients if gradient is not None)
    return float((output.detach().float() - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_real_weights_in_half_precision_stay_finite_and_near(
    whisper_of: WhisperOf, real_whisper: str, speech: Speech, dtype: torch.dtype
) -> None:
    frontend, encoder = whisper_of({"checkpoint": real_whisper, "freeze": False})
    sequence = pad_rows([frontend(speech(0.7)), frontend(torch.zeros(0)), frontend(speech(0.3, seed=1))])
    assert 0 < half_gap(encoder, sequence, dtype) < 0.05


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("pads", [False, True])
def test_windows_in_half_precision_stay_finite_and_near(
    whisper_of: WhisperOf, one_second: str, dtype: torch.dtype, pads: bool
) -> None:
    fields = {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}
    _, encoder = whisper_of({**fields, "freeze": False, "pad_to_30s": pads, "layers": "weighted_sum"})
    assert 0 < half_gap(encoder, pad_rows([torch.randn(width, 8) for width in (230, 0, 40)]), dtype) < 0.05


def compiled_gap(encoder: WhisperAudioEncoder, compiled: Any, sequence: MaskedSequence) -> float:
    expected, found = encoder(sequence), compiled(sequence)
    assert torch.equal(expected.lengths, found.lengths)
    return float((expected.features - found.features).detach().abs().max())


@pytest.mark.parametrize(("pads", "trains"), [(False, False), (True, True)])
def test_compiled_equals_eager_in_one_graph(whisper_of: WhisperOf, one_second: str, pads: bool, trains: bool) -> None:
    fields = {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}
    _, encoder = whisper_of({**fields, "pad_to_30s": pads, "freeze": False})
    encoder.train(trains)
    _dynamo.reset()
    _dynamo.utils.counters.clear()
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    for widths in ((70, 0, 33), (90, 12, 61), (54, 20, 9), (81, 80, 3)):
        rows = [torch.randn(width, 8, dtype=torch.float64) for width in widths]
        assert compiled_gap(encoder, compiled, pad_rows(rows)) < 1e-12
    assert _dynamo.utils.counters["stats"]["unique_graphs"] <= 2  # of one width, then of any


def test_compiled_windows_equal_eager_with_one_break(whisper_of: WhisperOf, one_second: str) -> None:
    fields = {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}
    _, encoder = whisper_of(fields)
    _dynamo.reset()
    _dynamo.utils.counters.clear()
    compiled = torch.compile(encoder, backend="aot_eager")
    for widths in ((260, 33, 0), (133, 270, 12), (33, 520)):
        rows = [torch.randn(width, 8, dtype=torch.float64) for width in widths]
        assert compiled_gap(encoder, compiled, pad_rows(rows)) < 1e-12
    counters = _dynamo.utils.counters
    assert len(counters["graph_break"]) == 1
