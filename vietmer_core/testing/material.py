"""Transcripts and waveforms to draw from."""

import math
import random
from typing import Final

import torch
from hypothesis import strategies as st
from torch import Tensor

WORDS: Final = (
    "tôi không",
    "vâng ạ",
    "Đừng gọi nữa!",
    "khách_hàng",
    "hòa",
    "nghiêng nghiêng",
    "quý khách",
    "ơi…",
    "4G",
    "0912.345.678",
    "OK",
    "uỷ ban",
    "ủy ban",
    "thuở",
    "giặt gỵa",
    "wifi",
    "😡",
    "đ",
    "ê ê",
    "trăm phần trăm",
)
"""Words of a call centre, and what does not look like Vietnamese at all."""


def transcript_of(num_words: int, seed: int) -> str:
    """`num_words` space-separated words; an empty string for none."""
    chosen = random.Random(seed)  # noqa: S311  # numbers for a test, not for a secret
    return " ".join(chosen.choice(" ".join(WORDS).split()) for _ in range(num_words))


def waveform_of(num_samples: int, seed: int) -> Tensor:
    """`(samples,)` float32 in [-1, 1]: a tone and noise, both chosen by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rate = 0.02 + 0.2 * float(torch.rand((), generator=generator))  # cycles a sample times 2 pi
    tone = 0.5 * torch.sin(2 * math.pi * rate * torch.arange(num_samples, dtype=torch.float32))
    return (tone + 0.1 * torch.randn(num_samples, generator=generator)).clamp(-1, 1)


def transcripts(*, max_words: int = 8) -> st.SearchStrategy[str]:
    """Transcripts: words of calls, arbitrary text and nothing at all."""
    words = st.lists(st.sampled_from(WORDS), max_size=max_words).map(" ".join)
    return words | st.text(max_size=20)


@st.composite
def waveforms(draw: st.DrawFn, *, max_samples: int = 4000) -> Tensor:
    """Mono waveforms `(samples,)` float32 in [-1, 1]: tones with noise, silence, a constant, full scale, none."""
    num_samples = draw(st.integers(0, max_samples))
    waveform = waveform_of(num_samples, draw(st.integers(0, 99)))
    shape = draw(st.sampled_from(["tone", "silence", "constant", "full scale"]))
    if shape == "silence":
        return torch.zeros(num_samples)
    if shape == "constant":
        return torch.full((num_samples,), 0.25)
    return waveform.sign() if shape == "full scale" else waveform
