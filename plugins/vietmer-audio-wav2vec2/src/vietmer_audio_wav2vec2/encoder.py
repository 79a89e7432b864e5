"""The encoder: convolutions, projection, SpecAugment, Transformer, a choice or a mix of its layers."""

from typing import Any, final

import attrs
import torch
from einops import rearrange
from torch import Tensor, nn

from vietmer_audio_wav2vec2.adapter import adapt, adapted_lengths
from vietmer_audio_wav2vec2.extractor import extract
from vietmer_audio_wav2vec2.lengths import ConvChain
from vietmer_audio_wav2vec2.stack import transformer_states
from vietmer_audio_wav2vec2.windows import Part, cut, draws_of, joined, parts_of
from vietmer_core.nn.dropout import regrouped
from vietmer_core.nn.spec_augment import hide_spans
from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.pretrained.backbone import PretrainedBackbone
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.stack import encoding
from vietmer_core.sequence import MaskedSequence


@final
@attrs.frozen(kw_only=True)
class Limits:
    """What is computed at once, in frames of the encoder; None is everything.

    Attributes:
        window: Longest row that the Transformer reads at once; a longer one is read in windows.
        overlap: What neighbouring windows share at least.
        chunk: Frames of the convolutions at once, all rows together, where nothing of them is trained.
    """

    window: int | None = None
    overlap: int = 0
    chunk: int | None = None


@final
class Wav2Vec2Encoder(nn.Module):
    """Normalised samples `(batch, samples, 1)` → `(batch, frames, dim)` by wav2vec 2.0, HuBERT or WavLM.

    What an utterance gives depends on its own samples alone: the padding is zeroed at the entry, group norm takes its
    statistics from each row's own frames, the positional convolution reads zeros beyond them, padded frames are no
    keys, SpecAugment draws for each utterance. Frames follow the chain of valid convolutions; a row too short for one
    has none. Zeros in the padding.

    Rows longer than `limits.window` go through the Transformer in windows that overlap; the convolutions, and with
    them every norm below the Transformer, still see the whole row.

    Args:
        backbone: Holds a `Wav2Vec2Model`, `HubertModel` or `WavLMModel`.
        mix: Which layers are read.
        limits: What is computed at once.
        spec_augment: What is hidden in training, also where the network is frozen.
        checkpointing: Whether trained layers are computed twice to keep fewer activations.

    Attributes:
        output_dim: Width of the frames.
        states_dim: Width of the states that `encode` gives.
    """

    def __init__(
        self,
        *,
        backbone: PretrainedBackbone,
        mix: LayerMix,
        limits: Limits,
        spec_augment: SpecAugmentParams | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.mix = mix
        self.limits = limits
        self.spec_augment = spec_augment
        self.checkpointing = checkpointing
        config: Any = backbone.model.config
        self.is_stable = bool(config.do_stable_layer_norm)
        self.chain = ConvChain(kernels=tuple(config.conv_kernel), strides=tuple(config.conv_stride))
        self.has_adapter = getattr(backbone.model, "adapter", None) is not None
        self.output_dim: int = config.output_hidden_size if self.has_adapter else config.hidden_size
        self.states_dim = mix.states_dim(self.output_dim)
        hides = "" if spec_augment is None else "`spec_augment` hides other spans in every epoch"
        self._obstacle = backbone.plan.obstacle() or hides

    def output_lengths(self, lengths: Tensor, /) -> Tensor:
        """Frames of each row from its samples, `(batch,)` int64 → `(batch,)` int64."""
        frames = self.chain.lengths(lengths)
        if not self.has_adapter:
            return frames
        config: Any = self.backbone.model.config
        return adapted_lengths(
            frames,
            num_layers=config.num_adapter_layers,
            kernel=config.adapter_kernel_size,
            stride=config.adapter_stride,
        )

    def obstacle(self) -> str:
        """What trains or draws inside the network, as a clause; "" where nothing does."""
        return self._obstacle

    def forward(self, sequence: MaskedSequence, /) -> MaskedSequence:
        """Encode. `(batch, samples, 1)` → `(batch, frames, dim)`."""
        return self.finish(self.encode(sequence))

    def encode(self, sequence: MaskedSequence, /) -> MaskedSequence:
        """The states that are read, `(batch, samples, 1)` → `(batch, frames, states_dim)`; behind an adapter."""
        with encoding(self._obstacle):
            return self._states(sequence)

    def finish(self, states: MaskedSequence, /) -> MaskedSequence:
        """Mix the layers: `(batch, frames, states_dim)` → `(batch, frames, dim)`."""
        return states.with_features(self.mix(states.features))

    def _states(self, sequence: MaskedSequence) -> MaskedSequence:
        samples = rearrange(sequence.zeroed().features, "batch samples 1 -> batch samples")
        lengths = self.chain.lengths(sequence.lengths)
        if self.chain.num_frames(samples.shape[1]) == 0:
            nothing = samples.new_zeros((len(samples), 0, self.states_dim))
            return MaskedSequence(features=nothing, lengths=lengths, draws=sequence.draws)
        frames = MaskedSequence(
            features=self._projected(samples, sequence.lengths), lengths=lengths, draws=sequence.draws
        )
        output = frames.with_features(self._contextual(frames.with_features(self._augmented(frames))))
        if self.has_adapter:
            output = adapt(self._model.adapter, output)
        return output.zeroed()

    @property
    def _model(self) -> Any:
        return self.backbone.model

    def _projected(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Convolutions and projection: `(batch, samples)` → `(batch, frames, dim)`."""
        layers = self._model.feature_extractor.conv_layers
        frames = extract(
            layers,
            samples,
            lengths,
            chain=self.chain,
            chunk_frames=self.limits.chunk,
            recomputes=self.checkpointing,
        )  # (batch, frames, channels)
        projected = self._model.feature_projection(frames)
        output: Tensor = projected[0] if isinstance(projected, tuple) else projected
        return output  # (batch, frames, dim)

    def _augmented(self, frames: MaskedSequence) -> Tensor:
        if self.spec_augment is None or not self.training:
            return frames.features
        filler = getattr(self._model, "masked_spec_embed", None)  # (dim,)
        assert filler is not None or not self.spec_augment.time_probability
        return hide_spans(frames, self.spec_augment, frame_filler=filler)

    def _contextual(self, frames: MaskedSequence) -> Tensor:
        """The Transformer over whole rows, or over windows: `(batch, frames, dim)` → `(batch, frames, states_dim)`."""
        window = self.limits.window
        if window is None or frames.features.shape[1] <= window:
            return self._layers_read(frames.features, frames.lengths)
        windowed: Tensor = self._windowed(frames, window)
        return windowed

    # The windows follow from the lengths, which a compiled graph does not know.
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
    def _windowed(self, frames: MaskedSequence, window: int) -> Tensor:
        parts = parts_of(frames.lengths.tolist(), window=window, overlap=self.limits.overlap)
        if not parts:
            return frames.features.new_zeros(
                (*frames.features.shape[:2], self.mix.states_dim(frames.features.shape[2]))
            )
        # Dropout counts its calls, so that all parts run together. Without it each runs alone: windows are full, so
        # that two would not fit, and what an utterance gives does not depend on its neighbours by a bit.
        drops = self.training and self.backbone.is_tuned
        groups = [parts] if drops else [[part] for part in parts]
        outputs: list[tuple[Part, Tensor]] = []
        for group in groups:
            features, lengths = cut(frames.features, group)  # (parts, width, dim), (parts,)
            with regrouped(draws_of(frames.draws, group)):
                outputs += zip(group, self._layers_read(features, lengths), strict=True)
        return joined(outputs, batch=len(frames.lengths), time=frames.features.shape[1])

    def _layers_read(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """The layers that are read, side by side: `(batch, frames, dim)` → `(batch, frames, states_dim)`."""
        states = transformer_states(
            self._model.encoder,
            frames,
            lengths.clamp(min=1),
            is_stable=self.is_stable,
            keep_all=self.mix.reads_all,
            recomputes=self.checkpointing,
        )
        return self.mix.side_by_side(states)
