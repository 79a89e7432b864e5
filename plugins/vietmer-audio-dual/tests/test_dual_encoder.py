from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate as stretch
from vietmer_audio_dual import vggish_half
from vietmer_audio_dual.encoder import DualEncoder
from vietmer_audio_dual.frontend import DualFrontend
from vietmer_audio_dual.params import DualParams
from vietmer_audio_dual.patches import FlatPatches, flat_patches
from vietmer_audio_dual.plugin import build_encoder, build_frontend, register_components
from vietmer_audio_wav2vec2.factory import make_encoder as make_wav2vec2

from vietmer_core.sequence import MaskedSequence, pad_rows

(COMPONENT,) = register_components()
VGGISH: dict[str, Any] = dict(COMPONENT.tiny["vggish"])
LENGTHS = (9_000, 0, 650, 700, 3_333, 6_400)
"""Many patches, absent, exactly one frame, one frame and a little, and others."""

Encode = Callable[[MaskedSequence], MaskedSequence]


def params_of(*, vggish: dict[str, Any] | None = None, **changes: Any) -> DualParams:
    return DualParams.model_validate({**COMPONENT.tiny, **changes, "vggish": {**VGGISH, **(vggish or {})}})


def encoder_of(params: DualParams | None = None, dtype: torch.dtype = torch.float64) -> DualEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        return cast("DualEncoder", build_encoder(params or params_of())).to(dtype).eval()


def waveform(num_samples: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (0.3 * torch.randn(num_samples, generator=generator)).clamp(-1, 1)


def rows_of(
    lengths: Sequence[int] = LENGTHS, *, params: DualParams | None = None, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    frontend = build_frontend(params or params_of())
    return [frontend(waveform(length, seed)).to(dtype) for seed, length in enumerate(lengths)]


def junk_padded(rows: Sequence[Tensor], extra: int = 777) -> MaskedSequence:
    clean = pad_rows(rows, time=max(map(len, rows)) + extra)
    return clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], 1e4))


def gradients_of(module: nn.Module, output: MaskedSequence) -> dict[str, Tensor]:
    """Of a sum in which every real value counts by its place in its own row; reset afterwards."""
    features = output.zeroed().features
    weights = torch.arange(1, features[0].numel() + 1, dtype=features.dtype).sin().reshape(features.shape[1:])
    module.zero_grad()
    torch.autograd.backward((features * weights).sum())
    found = {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}
    module.zero_grad()
    return found


def gaps(module: nn.Module, encode: Encode, rows: Sequence[Tensor]) -> tuple[float, float]:
    """Largest differences of values and of gradients between the rows alone and the batch, over the largest."""
    together = encode(junk_padded(rows))
    joint = gradients_of(module, together)
    values, summed = 0.0, {name: torch.zeros_like(value) for name, value in joint.items()}
    for row, features in enumerate(rows):
        alone = encode(pad_rows([features]))
        length = int(alone.lengths[0])
        assert int(together.lengths[row]) == length
        if length:
            difference = together.features[row, :length] - alone.features[0, :length]
            values = max(values, float(difference.detach().abs().max()))
        if alone.features.requires_grad and length:
            for name, value in gradients_of(module, alone).items():
                summed[name] += value
    largest = float(together.features.detach().abs().max())
    gradients = max(float((value - summed[name]).abs().max()) for name, value in joint.items())
    return values / largest, gradients / max(float(value.abs().max()) for value in joint.values())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"merge": "sum", "dim": 6, "freeze": False},
        {"vggish": {"tail": "drop"}},
        {"vggish": {"hop_seconds": 0.16}, "layers": "weighted_sum"},
        {"window_seconds": 0.2, "overlap_seconds": 0.08},
    ],
)
def test_an_utterance_alone_equals_itself_in_a_padded_batch(
    dtype: torch.dtype, tolerance: float, changes: dict[str, Any]
) -> None:
    encoder = encoder_of(params_of(**changes), dtype)
    values, gradients = gaps(encoder, encoder, rows_of(dtype=dtype))
    assert values <= tolerance
    assert gradients <= tolerance


def reference_way(encoder: DualEncoder, *, patches: bool, width: bool) -> Encode:
    """Patches of the padded waveforms, or patches stretched over the padded width, or both, as the reference has it."""

    def encode(sequence: MaskedSequence) -> MaskedSequence:
        context: MaskedSequence = encoder.wav2vec2(sequence.with_features(sequence.features[:, :, :1]))
        raw = sequence.zeroed().features[:, :, 1]
        widest = torch.full_like(sequence.lengths, raw.shape[1])
        counts = encoder.vggish.grid.counts(widest if patches else sequence.lengths)
        heard = widest if patches else sequence.lengths
        embeddings = torch.split(encoder.vggish(flat_patches(raw, heard, encoder.vggish.grid)), counts.tolist())
        time = context.features.shape[1]
        stretched = []
        for own, length in zip(embeddings, context.lengths.tolist(), strict=True):
            frames = time if width else length
            found = stretch(own.T[None], size=frames)[0].T if len(own) and frames else own.new_zeros((frames, 8))
            stretched.append(torch.cat([found, found.new_zeros((time - frames, 8))]))
        merged = torch.cat([context.features, torch.stack(stretched)], dim=-1)
        return context.with_features(merged).zeroed()

    return encode


@pytest.mark.parametrize(
    ("patches", "width", "leaks"), [(False, False, False), (True, False, True), (False, True, True), (True, True, True)]
)
def test_the_comparison_sees_the_ways_of_the_reference(*, patches: bool, width: bool, leaks: bool) -> None:
    encoder = encoder_of()
    values, gradients = gaps(encoder, reference_way(encoder, patches=patches, width=width), rows_of())
    assert (values > 1e-3) == leaks
    assert (gradients > 1e-3) == leaks
    assert leaks or max(values, gradients) < 1e-10


def test_the_first_half_is_wav2vec2_to_the_bit_and_the_second_numpys_interpolation() -> None:
    params = params_of()
    encoder, (row,) = encoder_of(params), rows_of([8_000])
    alone = make_wav2vec2(params).double().eval()
    alone.load_state_dict(encoder.wav2vec2.state_dict())
    output = encoder(pad_rows([row])).features[0].detach()
    assert torch.equal(output[:, :16], alone(pad_rows([row[:, :1]])).features[0])
    patches = flat_patches(row[None, :, 1], torch.tensor([8_000]), encoder.vggish.grid)
    embeddings = encoder.vggish(patches).detach()
    centres = 1_400 + 640 * np.arange(len(embeddings))  # patches of 16 frames: 2,800 samples, every 0.04 s
    frames = 325 + 640 * np.arange(len(output))  # the tiny network reads 650 samples a frame, every 640
    assert len(embeddings) > 5
    for column in range(8):
        expected = np.interp(frames, centres, embeddings[:, column].numpy())
        np.testing.assert_allclose(output[:, 16 + column].numpy(), expected, rtol=0, atol=1e-12)


def test_vggish_hears_the_waveform_and_wav2vec2_its_normalised_form() -> None:
    frontend = build_frontend(params_of())
    quiet, loud = frontend(0.1 * waveform(5_000, 0)), frontend(waveform(5_000, 0))
    torch.testing.assert_close(quiet[:, 0], loud[:, 0], rtol=0, atol=1e-3)
    assert torch.equal(loud[:, 1], waveform(5_000, 0))
    difference = (encoder_of()(pad_rows([quiet.double()])).features - encoder_of()(pad_rows([loud.double()])).features)[
        0
    ]
    assert difference[:, :16].abs().max() < 1e-3
    assert difference[:, 16:].abs().max() > 0.01


def test_a_sum_projects_both_halves() -> None:
    encoder = encoder_of(params_of(merge="sum", dim=7))
    sequence = junk_padded(rows_of())
    output = encoder(sequence)
    assert output.features.shape[-1] == encoder.output_dim == 7
    side_by_side = encoder_of()
    side_by_side.load_state_dict(
        {name: value for name, value in encoder.state_dict().items() if not name.startswith("merge.")}
    )
    both = side_by_side(sequence).features
    linear: Any = encoder.merge
    expected = linear.first(both[:, :, :16]) + linear.second(both[:, :, 16:])
    mask = output.mask[:, :, None]
    torch.testing.assert_close(output.features, expected.masked_fill(~mask, 0), rtol=0, atol=1e-12)
    assert encoder_of(params_of(merge="sum")).output_dim == 1024


def test_audio_without_frames_gives_frames_of_nothing() -> None:
    encoder = encoder_of()
    for rows in (rows_of([0, 0]), [torch.zeros(40, 2, dtype=torch.float64), *rows_of([0])]):
        output = encoder(pad_rows(rows))
        assert output.features.shape == (2, 0, 24)
        assert output.lengths.tolist() == [0, 0]


def test_silence_is_finite() -> None:
    frontend = build_frontend(params_of())
    output = encoder_of()(pad_rows([frontend(torch.zeros(4_000)).double()]))
    assert bool(torch.isfinite(output.features).all())


def test_short_audio_is_left_out_or_padded_in_both_columns() -> None:
    refused = build_frontend(params_of())(waveform(200, 0))
    assert refused.shape == (0, 2)
    frontend = build_frontend(params_of(short="pad"))
    assert isinstance(frontend, DualFrontend)
    padded = frontend(waveform(200, 0))
    assert padded.shape == (650, 2)
    assert frontend.samples_added(200) == 450
    assert torch.equal(padded[:200, 1], waveform(200, 0))
    assert not padded[200:].any()
    assert encoder_of()(pad_rows([padded.double()])).lengths.tolist() == [1]


def test_without_gradients_every_group_of_patches_has_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, sequence = encoder_of(), junk_padded(rows_of())
    whole = encoder(sequence).features
    sizes: list[int] = []
    network = encoder.vggish.backbone.model
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    total = int(encoder.vggish.grid.counts(sequence.lengths).sum())
    assert total > 12
    for at_once in (3, 8, 2 * total):
        monkeypatch.setattr(vggish_half, "PATCHES_AT_ONCE", at_once)
        sizes.clear()
        with torch.no_grad():
            torch.testing.assert_close(encoder(sequence).features, whole, rtol=0, atol=1e-12)
        assert sizes == [at_once] * -(-total // at_once)
    sizes.clear()
    encoder(sequence)
    assert sizes == [total]


def test_overlapping_patches_are_copied_only_when_they_are_read() -> None:
    row = rows_of([40_000])[0]
    found: FlatPatches = flat_patches(row[None, :, 1], torch.tensor([40_000]), encoder_of().vggish.grid)
    assert len(found.frames) < 260
    assert len(found.starts) > 50
