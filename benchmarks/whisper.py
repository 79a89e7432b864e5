"""Whisper at true length against transformers' padding to 30 s: audio encoded in a second, and what leaks.

    nox -s bench -- whisper [--shared FOLDER] [--utterances N] [--repeats N] [--threads N]

Needs the weights of a Whisper, a file of durations and some audio, by default in `../shared` beside the repository.
Prints two Markdown tables. In the first, utterances of 1 to 10 s with the durations of a corpus are encoded in turn at
their true length, in batches of the sampler `length_bucket`, and by transformers, padded to 30 s; the batch size of
each is the fastest of several. In the second stands the largest difference between an utterance alone and in a padded
batch with junk in the padding, divided by the largest output (values) or gradient.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import gelu
from transformers import WhisperFeatureExtractor
from vietmer_audio_whisper.factory import make_encoder, make_frontend
from vietmer_audio_whisper.frontend import WhisperFrontend
from vietmer_audio_whisper.params import WhisperParams
from vietmer_sampler_length_bucket.plugin import LengthBucketSamplerParams
from vietmer_sampler_length_bucket.plugin import build as build_sampler

from vietmer_core.data.audio import read_segment
from vietmer_core.protocols import Encoder, UtteranceSizes
from vietmer_core.sequence import MaskedSequence, mask_from_lengths, pad_rows

RATE = 16_000
SHORTEST, LONGEST = 1.0, 10.0
TRUE_LENGTH_BATCHES = (4, 8, 16, 32)
PADDED_BATCHES = (1, 2, 4, 8)
LEAK_SECONDS = (3.01, 1.23, 0.5, 2.1)
JUNK = 1e4

Pass = Callable[[int], None]
"""Encodes the corpus once, in batches of a size."""


@attrs.frozen(kw_only=True)
class Corpus:
    """Waveforms `(samples,)` with the durations of a real corpus."""

    waveforms: Sequence[Tensor]

    @property
    def seconds(self) -> float:
        return sum(len(waveform) for waveform in self.waveforms) / RATE


def corpus_of(shared: Path, utterances: int) -> Corpus:
    """Real audio, cut to the quantiles of the durations from 1 to 10 s, in a random order."""
    folder = shared / "data" / "visec_sample"
    durations = np.array(json.loads((folder / "durations_all.json").read_text())["durations"])
    inside = durations[(durations >= SHORTEST) & (durations <= LONGEST)]
    seconds = np.quantile(inside, (np.arange(utterances) + 0.5) / utterances)
    np.random.default_rng(0).shuffle(seconds)
    clips = [
        read_segment(path, start=None, end=None, channel="mix", sampling_rate=RATE)
        for path in sorted((folder / "audio").iterdir())
    ]
    speech = torch.from_numpy(np.concatenate(clips))
    ends = np.cumsum(np.round(seconds * RATE).astype(int)) % (len(speech) - int(LONGEST * RATE))
    counts = np.round(seconds * RATE).astype(int)
    return Corpus(waveforms=[speech[end : end + count].clone() for end, count in zip(ends, counts, strict=True)])


def true_length(corpus: Corpus, encoder: Encoder, mels: Sequence[Tensor]) -> Pass:
    """This encoder over batches of like length."""
    seconds = np.array([len(waveform) / RATE for waveform in corpus.waveforms], np.float32)
    nothing = np.zeros(len(seconds), np.int32)
    sizes = UtteranceSizes(audio_seconds=seconds, text_words=nothing, labels=nothing)

    def once(batch_size: int) -> None:
        sampler = build_sampler(LengthBucketSamplerParams(batch_size=batch_size, alpha=0.0), sizes=sizes, seed=0)
        for batch in sampler.batches(0):
            encoder(pad_rows([mels[index] for index in batch]))

    return once


def padded(model: Any, mels: Tensor) -> Pass:
    """The encoder of transformers over `(utterances, mels, 3000)`."""

    def once(batch_size: int) -> None:
        for batch in torch.split(mels, batch_size):
            model(batch)

    return once


def timed(once: Pass, batch_size: int) -> float:
    """Seconds of one pass."""
    begin = time.perf_counter()
    with torch.no_grad():
        once(batch_size)
    return time.perf_counter() - begin


def fastest(once: Pass, batch_sizes: Sequence[int]) -> int:
    """The batch size of the fastest pass."""
    return min(batch_sizes, key=lambda size: timed(once, size))


def mel_seconds(corpus: Corpus, frontend: WhisperFrontend, extractor: Any) -> tuple[float, float]:
    """Seconds to compute the mels of the corpus: this frontend, and transformers' extractor."""
    begin = time.perf_counter()
    for waveform in corpus.waveforms:
        frontend(waveform)
    middle = time.perf_counter()
    for waveform in corpus.waveforms:
        extractor(waveform.numpy(), sampling_rate=RATE, return_tensors="pt")
    return middle - begin, time.perf_counter() - middle


def throughput(shared: Path, *, folder: Path, utterances: int, repeats: int) -> None:
    """Print the first table."""
    corpus, params = corpus_of(shared, utterances), WhisperParams(checkpoint=str(folder))
    frontend, encoder = make_frontend(params), make_encoder(params).eval()
    plain = make_encoder(params).eval().backbone.model
    loaded: Any = WhisperFeatureExtractor
    extractor = loaded.from_pretrained(folder)
    waveforms = [waveform.numpy() for waveform in corpus.waveforms]
    whole: Tensor = extractor(waveforms, sampling_rate=RATE, return_tensors="pt")["input_features"]
    ours = true_length(corpus, encoder, [frontend(waveform) for waveform in corpus.waveforms])
    theirs = padded(plain, whole)
    own_size = fastest(ours, TRUE_LENGTH_BATCHES)
    their_size = fastest(padded(plain, whole[:8]), PADDED_BATCHES)
    own, other, mels = [], [], []
    for _ in range(repeats):
        mels.append(mel_seconds(corpus, frontend, extractor))
        own.append(timed(ours, own_size))
        other.append(timed(theirs, their_size))
    ratios = [second / first for first, second in zip(own, other, strict=True)]
    both = [(second + m[1]) / (first + m[0]) for first, second, m in zip(own, other, mels, strict=True)]
    print(
        f"{utterances} utterances, {corpus.seconds:.0f} s of audio, {repeats} passes in turn, "
        f"{torch.get_num_threads()} thread(s).\n\n"
        "| | batch | encoder: s of audio / s | range | mel frontend: s of audio / s |\n|---|--:|--:|--:|--:|"
    )
    print(row("true length, `length_bucket`", own_size, corpus, own, [m[0] for m in mels]))
    print(row("transformers, padded to 30 s", their_size, corpus, other, [m[1] for m in mels]))
    print(f"\nRatio of the encoders {spread(ratios)}, with the frontends {spread(both)}.\n", flush=True)


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


def row(title: str, size: int, corpus: Corpus, encoding: Sequence[float], mel: Sequence[float]) -> str:
    """One row of the first table."""
    rates = [corpus.seconds / seconds for seconds in encoding]
    fast = corpus.seconds / statistics.median(mel)
    limits = f"{min(rates):.1f}–{max(rates):.1f}"
    return f"| {title} | {size} | {statistics.median(rates):.1f} | {limits} | {fast:.0f} |"


@attrs.frozen(kw_only=True)
class Plain:
    """The modules of transformers run at the padded width, with some of what a padded batch needs.

    Attributes:
        model: transformers' `WhisperEncoder`; the positions are cut to the width.
        zeroes_mels: The padding of the mels is set to 0.
        masks_keys: Padded frames are no keys of the attention.
    """

    model: Any
    zeroes_mels: bool
    masks_keys: bool

    def __call__(self, sequence: MaskedSequence) -> MaskedSequence:
        """Frames `(batch, frames, dim)`."""
        mels = (sequence.zeroed() if self.zeroes_mels else sequence).features.mT  # (batch, mels, mel frames)
        states = gelu(self.model.conv2(gelu(self.model.conv1(mels)))).mT  # (batch, frames, dim)
        states = states + self.model.embed_positions.weight[: states.shape[1]]
        lengths = (sequence.lengths + 1) // 2
        mask = mask_from_lengths(lengths, states.shape[1])[:, None, None, :] if self.masks_keys else None
        for layer in self.model.layers:
            states = layer(states, mask)
        return MaskedSequence(features=self.model.layer_norm(states), lengths=lengths)


def run(encode: Any, model: Any, sequence: MaskedSequence) -> tuple[list[Tensor], Tensor]:
    """The real frames of each row, and all parameter gradients of their weighted sum."""
    model.zero_grad()
    output = encode(sequence)
    rows = [frames[:length] for frames, length in zip(output.features, output.lengths.tolist(), strict=True)]
    sums = [(frames * torch.linspace(-1, 1, frames.numel()).reshape(frames.shape)).sum() for frames in rows]
    torch.autograd.backward(torch.stack(sums).sum())
    gradients = [value.grad.flatten() for value in model.parameters() if value.grad is not None]
    return [frames.detach() for frames in rows], torch.cat(gradients).clone()


def leak(encode: Any, model: Any, rows: Sequence[Tensor]) -> tuple[float, float]:
    """Largest relative differences between rows alone and in a padded batch with junk: values, gradients."""
    clean = pad_rows(rows, time=max(len(frames) for frames in rows) + 30)
    junk = clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], JUNK))
    together, joint = run(encode, model, junk)
    alone = [run(encode, model, pad_rows([frames])) for frames in rows]
    scale = max(float(frames[0].abs().max()) for frames, _ in alone)
    values = max(float((one - other[0]).abs().max()) for one, (other, _) in zip(together, alone, strict=True))
    summed = torch.stack([gradient for _, gradient in alone]).sum(dim=0)
    return values / scale, float((summed - joint).abs().max() / summed.abs().max())


def leaks(shared: Path, *, folder: Path) -> None:
    """Print the second table."""
    params = WhisperParams(checkpoint=str(folder), freeze=False)
    frontend, encoder = make_frontend(params), make_encoder(params).eval()
    model = encoder.backbone.model
    speech = corpus_of(shared, 8).waveforms
    rows = [
        frontend(torch.cat([*speech])[round(20_000 * i) :][: round(length * RATE)])
        for i, length in enumerate(LEAK_SECONDS)
    ]
    variants: dict[str, Any] = {
        "transformers, positions cut to the batch": Plain(model=model, zeroes_mels=False, masks_keys=False),
        "the same, padding of the mels zeroed": Plain(model=model, zeroes_mels=True, masks_keys=False),
        "the same, with a key mask too": Plain(model=model, zeroes_mels=True, masks_keys=True),
        "`audio: whisper`": encoder,
    }
    print("| | float64 values | gradients | float32 values | gradients |\n|---|--:|--:|--:|--:|")
    for title, encode in variants.items():
        figures = []
        for dtype in (torch.float64, torch.float32):
            torch.set_default_dtype(dtype)
            model.to(dtype)
            figures += [f"{gap:.1e}" for gap in leak(encode, model, [frames.to(dtype) for frames in rows])]
        print(f"| {title} | {' | '.join(figures)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--model", default="whisper-tiny-en", help="folder below models/ of the shared folder")
    parser.add_argument("--utterances", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    folder = given.shared / "models" / given.model
    throughput(given.shared, folder=folder, utterances=given.utterances, repeats=given.repeats)
    leaks(given.shared, folder=folder)


if __name__ == "__main__":
    main()
