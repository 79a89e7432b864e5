"""The encoder: convolutions, projection, SpecAugment, Transformer, a choice or a mix of its layers."""

from typing import Any, final

import attrs
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vietmer_audio_wav2vec2.adapter import adapt, adapted_lengths
from vietmer_audio_wav2vec2.extractor import call, extract
from vietmer_audio_wav2vec2.lengths import ConvChain
from vietmer_audio_wav2vec2.params import SpecAugmentParams
from vietmer_audio_wav2vec2.spec_augment import hide_spans
from vietmer_audio_wav2vec2.stack import layer_states
from vietmer_audio_wav2vec2.windows import Part, cut, draws_of, groups_within, joined, parts_of
from vietmer_core.nn.dropout import checkpoint_contexts, regrouped
from vietmer_core.pretrained.backbone import PretrainedBackbone
from vietmer_core.pretrained.layers import LayerMix
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
        spec_augment: What is hidden in training of tuned weights.
        checkpointing: Whether trained layers are computed twice to keep fewer activations.
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

    def forward(self, sequence: MaskedSequence, /) -> MaskedSequence:
        """Encode. `(batch, samples, 1)` → `(batch, frames, dim)`."""
        samples = rearrange(sequence.zeroed().features, "batch samples 1 -> batch samples")
        lengths = self.chain.lengths(sequence.lengths)
        if self.chain.num_frames(samples.shape[1]) == 0:
            nothing = samples.new_zeros((len(samples), 0, self.output_dim))
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
            layers, samples, lengths, chain=self.chain, chunk_frames=self.limits.chunk, run=self._run
        )  # (batch, frames, channels)
        projected = self._model.feature_projection(frames)
        output: Tensor = projected[0] if isinstance(projected, tuple) else projected
        return output  # (batch, frames, dim)

    def _augmented(self, frames: MaskedSequence) -> Tensor:
        if self.spec_augment is None or not (self.training and self.backbone.is_tuned):
            return frames.features
        return hide_spans(frames, self.spec_augment, filler=getattr(self._model, "masked_spec_embed", None))

    def _contextual(self, frames: MaskedSequence) -> Tensor:
        """The Transformer over whole rows, or over windows of them: `(batch, frames, dim)` → the same shape."""
        window = self.limits.window
        if window is None or frames.features.shape[1] <= window:
            return self._mixed(frames.features, frames.lengths)
        windowed: Tensor = self._windowed(frames, window)
        return windowed

    # The windows follow from the lengths, which a compiled graph does not know.
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
    def _windowed(self, frames: MaskedSequence, window: int) -> Tensor:
        parts = parts_of(frames.lengths.tolist(), window=window, overlap=self.limits.overlap)
        if not parts:
            return torch.zeros_like(frames.features)
        draws_dropout = self.training and self.backbone.is_tuned  # its calls are counted: all parts at once
        groups = [parts] if draws_dropout else list(groups_within(parts, window))
        outputs: list[tuple[Part, Tensor]] = []
        for group in groups:
            features, lengths = cut(frames.features, group)  # (parts, width, dim), (parts,)
            with regrouped(draws_of(frames.draws, group)):
                outputs += zip(group, self._mixed(features, lengths), strict=True)
        return joined(outputs, batch=len(frames.lengths), time=frames.features.shape[1])

    def _mixed(self, frames: Tensor, lengths: Tensor) -> Tensor:
        states = layer_states(
            self._model.encoder,
            frames,
            lengths.clamp(min=1),
            is_stable=self.is_stable,
            keep_all=self.mix.weights is not None,
            run=self._run,
        )
        mixed: Tensor = self.mix(states)  # (batch, frames, dim)
        return mixed

    def _run(self, layer: Any, *arguments: Any) -> Any:
        """Call a layer; under gradient checkpointing if it is trained."""
        is_trained = getattr(layer, "training", self.training)
        if self.checkpointing and is_trained and torch.is_grad_enabled():
            return checkpoint(layer, *arguments, use_reentrant=False, context_fn=checkpoint_contexts)
        return call(layer, *arguments)
