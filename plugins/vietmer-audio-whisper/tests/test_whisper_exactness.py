from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.models.whisper.modeling_whisper import WhisperEncoder, WhisperForConditionalGeneration
from vietmer_audio_whisper import network
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.frontend import WhisperFrontend

from vietmer_core.sequence import MaskedSequence, mask_from_lengths, pad_rows

JUNK = 1e4
SECONDS = (1.237, 0.411, 2.9, 0.03)
Made = tuple[WhisperFrontend, WhisperAudioEncoder]
WhisperOf = Callable[[dict[str, Any]], Made]
Speech = Callable[..., Tensor]


@pytest.fixture(scope="module")
def tuned(whisper_of: WhisperOf, real_whisper: str) -> Made:
    return whisper_of({"checkpoint": real_whisper, "freeze": False})


@pytest.fixture(scope="module")
def plain(real_whisper: str) -> WhisperEncoder:
    """The encoder as transformers loads it, float32."""
    model = WhisperForConditionalGeneration.from_pretrained(real_whisper, dtype=torch.float32)
    encoder: WhisperEncoder = model.model.encoder.eval()
    return encoder


def junk_padded(rows: Sequence[Tensor], *, extra: int = 7) -> MaskedSequence:
    clean = pad_rows(rows, time=max(len(row) for row in rows) + extra)
    return clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], JUNK))


def frames_and_gradients(encoder: WhisperAudioEncoder, sequence: MaskedSequence) -> tuple[list[Tensor], list[Tensor]]:
    """The real frames of every row, and the gradients of a sum in which each counts by its place in its own row."""
    encoder.zero_grad()
    output = encoder(sequence)
    rows = [row[:length] for row, length in zip(output.features, output.lengths.tolist(), strict=True)]
    weights = [torch.arange(row.numel(), dtype=row.dtype).sin().reshape(row.shape) for row in rows]
    torch.autograd.backward(torch.stack([(row * one).sum() for row, one in zip(rows, weights, strict=True)]).sum())
    gradients = [value.grad.clone() for value in encoder.parameters() if value.grad is not None]
    return [row.detach() for row in rows], gradients


def gaps(encoder: WhisperAudioEncoder, rows: Sequence[Tensor]) -> tuple[float, float]:
    """Largest difference of rows alone from the junk-padded batch over the largest number: values, gradients."""
    together, joint = frames_and_gradients(encoder, junk_padded(rows))
    separate = [frames_and_gradients(encoder, pad_rows([row])) for row in rows]
    scale = max(float(row.abs().max()) for row in together)
    values = max(float((row - alone[0]).abs().max()) for row, (alone, _) in zip(together, separate, strict=True))
    summed = [torch.stack(each).sum(dim=0) for each in zip(*(gradients for _, gradients in separate), strict=True)]
    largest = max(float(gradient.abs().max()) for gradient in summed)
    assert len(summed) == len(joint) > 60
    gradients = max(float((one - other).abs().max()) for one, other in zip(summed, joint, strict=True))
    return values / scale, gradients / largest


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_real_weights_give_a_row_the_same_alone_and_in_a_batch(
    tuned: Made, speech: Speech, dtype: torch.dtype, tolerance: float
) -> None:
    frontend, encoder = tuned
    rows = [frontend(speech(seconds, seed=seed)).to(dtype) for seed, seconds in enumerate(SECONDS)]
    values, gradients = gaps(encoder.to(dtype), rows)
    encoder.double()
    assert values <= tolerance
    assert gradients <= tolerance


@pytest.mark.parametrize("axis", ["mel frames", "frames"])
def test_the_comparison_sees_padding_that_is_not_zeroed_again_and_keys_that_are_not_masked(
    tuned: Made, speech: Speech, monkeypatch: pytest.MonkeyPatch, axis: str
) -> None:
    frontend, encoder = tuned
    rows = [frontend(speech(seconds, seed=seed)).double() for seed, seconds in enumerate(SECONDS)]
    width = max(len(row) for row in rows) + 7
    broken = width if axis == "mel frames" else (width + 1) // 2

    def mask(lengths: Tensor, time: int) -> Tensor:
        right = mask_from_lengths(lengths, time)
        return torch.ones_like(right) if time == broken else right

    monkeypatch.setattr(network, "mask_from_lengths", mask)
    values, gradients = gaps(encoder, rows)
    assert values > 1e-4
    assert gradients > 1e-6


def test_padded_to_30_s_the_encoder_gives_the_bits_of_transformers(
    whisper_of: WhisperOf, real_whisper: str, plain: WhisperEncoder, speech: Speech
) -> None:
    frontend, encoder = whisper_of({"checkpoint": real_whisper, "pad_to_30s": True})
    frames = [frontend(speech(seconds, seed=seed)) for seed, seconds in enumerate((1.237, 29.99, 0.411))]
    for rows in ([frames[0]], frames):
        padded = torch.stack([torch.cat([row, row[-1:].expand(3_000, -1)])[:3_000] for row in rows])
        with torch.no_grad():
            expected = plain(padded.mT.contiguous()).last_hidden_state
            found = encoder.float()(junk_padded(rows))
        assert found.lengths.tolist() == [(len(row) - 3 + 1) // 2 for row in rows]
        for row, length, reference in zip(found.features, found.lengths.tolist(), expected, strict=True):
            assert torch.equal(row[:length], reference[:length])
            assert not row[length:].any()


def test_padding_to_30_s_is_not_the_true_length(whisper_of: WhisperOf, real_whisper: str, speech: Speech) -> None:
    outputs = []
    for pads in (False, True):
        frontend, encoder = whisper_of({"checkpoint": real_whisper, "pad_to_30s": pads})
        with torch.no_grad():
            outputs.append(encoder(pad_rows([frontend(speech(1.237)).double()])).features)
    assert outputs[0].shape == outputs[1].shape == (1, 62, 384)
    assert (outputs[0] - outputs[1]).abs().max() > 0.1


@pytest.mark.parametrize("layers", ["last", 4, 2, 0])
def test_30_seconds_at_true_length_are_those_of_transformers(
    whisper_of: WhisperOf, real_whisper: str, plain: WhisperEncoder, speech: Speech, layers: str | int
) -> None:
    frontend, encoder = whisper_of({"checkpoint": real_whisper, "layers": layers})
    mels = frontend(speech(30.0))
    with torch.no_grad():
        states = plain(mels.T[None].contiguous(), output_hidden_states=True).hidden_states
        found = encoder.float()(pad_rows([mels])).features
    expected = states[layers] if isinstance(layers, int) else states[-1]
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-5
    assert len(encoder.backbone.model.layers) == (layers if isinstance(layers, int) else 4)  # type: ignore[arg-type]
