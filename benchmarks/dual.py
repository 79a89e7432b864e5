"""`audio: dual`: how far padding leaks where VGGish is read as the reference reads it, and what each half costs.

    nox -s bench -- dual

Prints three Markdown tables: the peak memory of a fresh process that reads no, one and ten minutes of audio by the
VGGish half, without gradients; the largest difference between utterances alone and in a padded batch with junk in the
padding, over the largest output, at the frames of XLSR-53; CPU seconds for a second of audio, one thread. Networks have
their true sizes and random weights.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import interpolate as stretch
from vietmer_audio_dual.alignment import TimeAxis, interpolate
from vietmer_audio_dual.factory import make_encoder, make_frontend, make_vggish
from vietmer_audio_dual.params import DualParams, VggishParams
from vietmer_audio_dual.patches import flat_patches
from vietmer_audio_dual.vggish_half import VggishHalf

from vietmer_core.sequence import MaskedSequence, pad_rows

RATE: Final = 16_000
SECONDS: Final = (0.7, 1.2, 2.9, 4.0)
TIMED_SECONDS: Final = 5.0
FRAMES: Final = TimeAxis(hop_samples=320, span_samples=400)
JUNK: Final = 1e4

XLSR: Final[Mapping[str, Any]] = {
    "model_type": "wav2vec2",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "conv_dim": [512] * 7,
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}
PREPROCESSOR: Final[Mapping[str, Any]] = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": RATE,
    "padding_value": 0.0,
    "do_normalize": True,
}

Encode = Callable[[MaskedSequence], list[Tensor]]
"""A padded batch of waveforms → the embeddings at the frames of each row."""


def waveform(seconds: float, seed: int) -> Tensor:
    """Noise that swells and fades four times a second, as syllables do."""
    samples = round(seconds * RATE)
    swell = 0.5 + 0.5 * torch.sin(torch.arange(samples) * (2 * torch.pi * 4 / RATE))
    return 0.2 * swell * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def frames_of(lengths: Tensor) -> Tensor:
    """Frames of XLSR-53."""
    return (torch.div(lengths - FRAMES.span_samples, FRAMES.hop_samples, rounding_mode="floor") + 1).clamp(min=0)


def ours(vggish: VggishHalf) -> Encode:
    """Patches of each row's own samples, interpolated over its own frames."""
    source = TimeAxis(hop_samples=vggish.grid.hop_samples, span_samples=vggish.grid.span_samples)

    def encode(batch: MaskedSequence) -> list[Tensor]:
        lengths = frames_of(batch.lengths)
        found = interpolate(
            vggish(flat_patches(batch.features, batch.lengths, vggish.grid)),
            vggish.grid.counts(batch.lengths),
            lengths=lengths,
            time=int(lengths.max()),
            source=source,
            target=FRAMES,
        )
        return [row[:length] for row, length in zip(found, lengths.tolist(), strict=True)]

    return encode


def reference(vggish: VggishHalf, *, patches: bool, width: bool) -> Encode:
    """Patches of the zero-padded waveforms, or patches stretched over all frames of the batch, or both."""

    def encode(batch: MaskedSequence) -> list[Tensor]:
        raw = batch.zeroed().features
        heard = torch.full_like(batch.lengths, raw.shape[1]) if patches else batch.lengths
        embeddings = vggish(flat_patches(raw, heard, vggish.grid)).split(vggish.grid.counts(heard).tolist())
        lengths = frames_of(batch.lengths).tolist()
        sizes = [max(lengths)] * len(lengths) if width else lengths
        stretched = [stretch(own.T[None], size=size)[0].T for own, size in zip(embeddings, sizes, strict=True)]
        return [found[:length] for found, length in zip(stretched, lengths, strict=True)]

    return encode


@torch.no_grad()
def leak(encode: Encode, rows: Sequence[Tensor]) -> float:
    """The largest difference between the rows alone and in the batch, over the largest output."""
    clean = pad_rows(rows, time=max(map(len, rows)) + RATE // 2)
    together = encode(clean.with_features(clean.features.masked_fill(~clean.mask, JUNK)))
    alone = [encode(pad_rows([row]))[0] for row in rows]
    gaps = [float((found - own).abs().max()) for found, own in zip(together, alone, strict=True)]
    return max(gaps) / max(float(own.abs().max()) for own in alone)


def print_leaks() -> None:
    print("| VGGish embeddings at the frames of wav2vec 2.0 | float64 | float32 |\n|---|--:|--:|")
    torch.manual_seed(0)
    vggish = make_vggish(VggishParams.model_validate({"weights": "random"})).eval()
    rows = [waveform(seconds, seed) for seed, seconds in enumerate(SECONDS)]
    ways = {
        "ours": ours(vggish),
        "patches of the padded waveforms": reference(vggish, patches=True, width=False),
        "interpolation over the padded width": reference(vggish, patches=False, width=True),
        "both, as the reference": reference(vggish, patches=True, width=True),
    }
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for dtype in (torch.float64, torch.float32):
        vggish.to(dtype)
        for name, encode in ways.items():
            figures[name].append(leak(encode, [row.to(dtype) for row in rows]))
    for name, (double, single) in figures.items():
        print(f"| {name} | {double:.1e} | {single:.1e} |", flush=True)


def seconds_of(work: Callable[[], object], *, times: int = 3) -> float:
    """The median CPU time of a call, after one that warms up."""
    taken = []
    for _ in range(times + 1):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return sorted(taken[1:])[times // 2]


@torch.no_grad()
def print_peak_memory(minutes: int) -> None:
    """Of this process, after so much audio."""
    vggish = make_vggish(VggishParams.model_validate({"weights": "random"})).eval()
    vggish(flat_patches(waveform(60 * minutes, 1)[None], torch.tensor([60 * minutes * RATE]), vggish.grid))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {minutes} min of audio by the VGGish half: peak memory | {peak:.0f} MiB |", flush=True)


def write_xlsr(folder: Path) -> str:
    """A checkpoint of the configuration of XLSR-53, without weights."""
    for name, content in (("config.json", XLSR), ("preprocessor_config.json", PREPROCESSOR)):
        (folder / name).write_text(json.dumps(dict(content)), encoding="utf-8")
    return str(folder)


@torch.no_grad()
def print_costs(folder: Path) -> None:
    params = DualParams.model_validate(
        {"checkpoint": write_xlsr(folder), "weights": "random", "vggish": {"weights": "random"}}
    )
    encoder, frontend = make_encoder(params).eval(), make_frontend(params)
    batch = pad_rows([frontend(waveform(TIMED_SECONDS, 0))])
    first, raw = batch.with_features(batch.features[:, :, :1]), batch.features[:, :, 1]
    parts = {
        "frontend": lambda: frontend(waveform(TIMED_SECONDS, 0)),
        "wav2vec 2.0 half": lambda: encoder.wav2vec2(first),
        "log-mels and patches": lambda: flat_patches(raw, batch.lengths, encoder.vggish.grid),
        "VGGish half, log-mels included": lambda: encoder.vggish(flat_patches(raw, batch.lengths, encoder.vggish.grid)),
        "both halves": lambda: encoder(batch),
    }
    print("\n| part | CPU s a second of audio | ÷ both halves |\n|---|--:|--:|")
    taken = {name: seconds_of(work) / TIMED_SECONDS for name, work in parts.items()}
    for name, seconds in taken.items():
        print(f"| {name} | {seconds:.4f} | {seconds / taken['both halves']:.3f} |", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        print_peak_memory(int(sys.argv[1]))
        return
    print("| | |\n|---|--:|", flush=True)
    for minutes in ("0", "1", "10"):  # first: a process starts with the peak of the one that starts it
        subprocess.run([sys.executable, __file__, minutes], check=True)  # noqa: S603  # this program
    print()
    print_leaks()
    with tempfile.TemporaryDirectory() as folder:
        print_costs(Path(folder))


if __name__ == "__main__":
    main()
