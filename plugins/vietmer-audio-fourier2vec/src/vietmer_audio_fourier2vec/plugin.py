"""Registers `audio: fourier2vec`. Torch-free."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.nn.spec_augment_params import SpecAugmentParams

if TYPE_CHECKING:
    from vietmer_core.protocols import AudioFrontend, Encoder


class Fourier2VecParams(BaseModel):
    """Parameters of `audio: fourier2vec`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["fourier2vec"] = "fourier2vec"
    sampling_rate: int = Field(default=16_000, ge=1, description="Rate of the waveforms, Hz.")
    window_seconds: float = Field(default=0.025, gt=0, description="Length of the Hann window, s.")
    hop_seconds: float = Field(default=0.010, gt=0, description="From one frame to the next, s.")
    n_fft: int = Field(default=512, ge=1, description="Points of the Fourier transform.")
    num_mels: int = Field(default=64, ge=1, description="Mel bands, HTK scale.")
    lowest_hz: float = Field(default=125.0, ge=0, description="Lower edge of the first band, Hz.")
    highest_hz: float = Field(default=7_500.0, gt=0, description="Upper edge of the last band, Hz.")
    log_offset: float = Field(default=0.01, gt=0, description="Added to the mel magnitude before the logarithm.")
    normalise: Literal["none", "utterance_mean", "utterance"] = Field(
        default="none", description="Normalisation of each band over the utterance; it removes loudness."
    )
    patch_frames: int = Field(default=1, ge=1, description="Frames averaged to one patch; 1 keeps every frame.")
    dim: int = Field(default=256, ge=1, description="Width of the output.")
    num_layers: int = Field(default=4, ge=1, description="Number of Transformer blocks.")
    num_heads: int = Field(default=4, ge=1, description="Attention heads; must divide `dim`.")
    hidden_dim: int = Field(default=1024, ge=1, description="Width of the feed-forward layers.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout in training.")
    spec_augment: SpecAugmentParams | None = Field(
        default=None,
        description="Hides spans of log-mel frames and bands in training, behind the utterance's mean of each band.",
    )

    @property
    def window_samples(self) -> int:
        return round(self.window_seconds * self.sampling_rate)

    @property
    def hop_samples(self) -> int:
        return round(self.hop_seconds * self.sampling_rate)

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> Self:
        if self.dim % self.num_heads:
            raise ValueError(f"`num_heads` must divide `dim` ({self.dim}), but is {self.num_heads} instead.")
        return self

    @model_validator(mode="after")
    def _spans_fit_bands(self) -> Self:
        augment = self.spec_augment
        if augment is not None and augment.feature_probability and augment.feature_span > self.num_mels:
            raise ValueError(
                f"`spec_augment.feature_span` must be at most `num_mels` ({self.num_mels}), but is "
                f"{augment.feature_span} instead."
            )
        return self

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if not 1 <= self.window_samples <= self.n_fft:
            raise ValueError(
                f"`window_seconds` must be 1 to `n_fft` ({self.n_fft}) samples long, but is {self.window_samples} "
                f"samples at {self.sampling_rate} Hz instead."
            )
        if self.hop_samples < 1:
            raise ValueError(f"`hop_seconds` must be at least one sample at {self.sampling_rate} Hz.")
        return self

    @model_validator(mode="after")
    def _bands_hold_frequencies(self) -> Self:
        if not self.lowest_hz < self.highest_hz <= self.sampling_rate / 2:
            raise ValueError(
                f"`highest_hz` must lie above `lowest_hz` ({self.lowest_hz:g}) and not above half the sampling rate "
                f"({self.sampling_rate / 2:g}), but is {self.highest_hz:g} instead."
            )
        edges = mel_edges_hz(self.lowest_hz, self.highest_hz, self.num_mels)
        step = self.sampling_rate / self.n_fft
        for band, (left, right) in enumerate(zip(edges, edges[2:], strict=False)):
            if (math.floor(left / step) + 1) * step >= right:
                raise ValueError(
                    f"`num_mels` must leave a frequency of the transform in every band, but with {self.num_mels} bands "
                    f"band {band} ({left:.0f} to {right:.0f} Hz) has none. Lower `num_mels` or raise `n_fft`."
                )
        return self


def mel_edges_hz(lowest_hz: float, highest_hz: float, num_mels: int) -> list[float]:
    """The `num_mels + 2` edges of the mel bands, Hz, equally spaced on the HTK scale 2595 log10(1 + f / 700)."""
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (lowest_hz, highest_hz))
    mels = [lowest + (highest - lowest) * index / (num_mels + 1) for index in range(num_mels + 2)]
    return [700 * (10 ** (mel / 2595) - 1) for mel in mels]


def build_frontend(params: Fourier2VecParams) -> "AudioFrontend":
    """Make the frontend of `audio: fourier2vec`."""
    from vietmer_audio_fourier2vec.frontend import LogMelFrontend, MelSettings

    settings = MelSettings(
        sampling_rate=params.sampling_rate,
        window_samples=params.window_samples,
        hop_samples=params.hop_samples,
        n_fft=params.n_fft,
        num_mels=params.num_mels,
        lowest_hz=params.lowest_hz,
        highest_hz=params.highest_hz,
    )
    return LogMelFrontend(settings=settings, log_offset=params.log_offset, normalise=params.normalise)


def build_encoder(params: Fourier2VecParams) -> "Encoder":
    """Make the encoder of `audio: fourier2vec`."""
    from vietmer_audio_fourier2vec.encoder import Fourier2VecEncoder

    return Fourier2VecEncoder(
        num_mels=params.num_mels,
        dim=params.dim,
        patch_frames=params.patch_frames,
        num_layers=params.num_layers,
        num_heads=params.num_heads,
        hidden_dim=params.hidden_dim,
        dropout=params.dropout,
        spec_augment=params.spec_augment,
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """The audio encoder `fourier2vec`."""
    return [
        Component(
            role=Role.AUDIO,
            params=Fourier2VecParams,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="Log-mel frames and a Transformer, trained from scratch.",
            licence="Apache-2.0",
            tiny={
                "num_mels": 8,
                "patch_frames": 3,
                "dim": 8,
                "num_layers": 1,
                "num_heads": 2,
                "hidden_dim": 16,
            },
        )
    ]
