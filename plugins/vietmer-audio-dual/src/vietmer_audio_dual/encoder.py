"""The encoder: wav2vec 2.0 frames, VGGish embeddings read at those frames, both merged."""

from typing import final

import torch
from torch import Tensor, nn
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_audio_dual.alignment import TimeAxis, interpolate
from vietmer_audio_dual.patches import FlatPatches, flat_patches
from vietmer_audio_dual.vggish_half import VggishHalf
from vietmer_core.pretrained.stack import encoding
from vietmer_core.sequence import MaskedSequence


@final
class SideBySide(nn.Module):
    """Frames `(batch, time, dim_a)` and `(batch, time, dim_b)` → `(batch, time, dim_a + dim_b)`."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Join along the last axis."""
        return torch.cat([first, second], dim=-1)  # (batch, time, dim_a + dim_b)


@final
class ProjectedSum(nn.Module):
    """Frames `(batch, time, dim_a)` and `(batch, time, dim_b)` → `(batch, time, dim)`: each projected, then added."""

    def __init__(self, *, dims: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(dims[0], dim)
        self.second = nn.Linear(dims[1], dim)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Project and add."""
        merged: Tensor = self.first(first) + self.second(second)
        return merged  # (batch, time, dim)


@final
class DualEncoder(nn.Module):
    """Samples `(batch, samples, 2)` of `DualFrontend` → `(batch, frames, dim)` at the frames of wav2vec 2.0.

    wav2vec 2.0 reads column 0. VGGish reads column 1 in patches of 0.96 s, each row cut to its own length first; its
    embeddings are interpolated linearly in time, per row, to the centres of the row's own wav2vec 2.0 frames
    (`vietmer_audio_dual.alignment`), and merged with them. The log-mels give the samples no gradient; VGGish's
    parameters have theirs. Zeros in the padding.

    Args:
        wav2vec2: The first half.
        vggish: The second half.
        frames: Where the frames of the first half lie.
        sum_dim: Width that both halves are projected to before they are added; None puts them side by side.

    Attributes:
        wav2vec2: The first half; its `backbone` holds the pretrained network.
        vggish: The second half; so does its.
        output_dim: Width of the frames.
        states_dim: Width of the states that `encode` gives: those of wav2vec 2.0, then the embeddings at its frames.
    """

    def __init__(
        self, *, wav2vec2: Wav2Vec2Encoder, vggish: VggishHalf, frames: TimeAxis, sum_dim: int | None = None
    ) -> None:
        super().__init__()
        self.wav2vec2 = wav2vec2
        self.vggish = vggish
        self.patch_axis = TimeAxis(hop_samples=vggish.grid.hop_samples, span_samples=vggish.grid.span_samples)
        self.frame_axis = frames
        dims = (wav2vec2.output_dim, vggish.dim)
        self.merge = SideBySide() if sum_dim is None else ProjectedSum(dims=dims, dim=sum_dim)
        self.output_dim = sum(dims) if sum_dim is None else sum_dim
        self.states_dim = wav2vec2.states_dim + vggish.dim
        clauses = [wav2vec2.obstacle(), vggish.backbone.plan.obstacle(inside="vggish.")]
        self._obstacle = ", and ".join(clause for clause in clauses if clause)

    def output_lengths(self, lengths: Tensor, /) -> Tensor:
        """Frames of each row from its samples, `(batch,)` int64 → `(batch,)` int64."""
        return self.wav2vec2.output_lengths(lengths)

    def obstacle(self) -> str:
        """What trains or draws inside either half, as a clause; "" where nothing does."""
        return self._obstacle

    def forward(self, sequence: MaskedSequence, /) -> MaskedSequence:
        """Encode. `(batch, samples, 2)` → `(batch, frames, dim)`."""
        # `finish(encode(sequence))`, with what the compiler stops at in this frame: it breaks the graph once
        patches = flat_patches(sequence.features[:, :, 1].detach(), self._heard(sequence.lengths), self.vggish.grid)
        return self.finish(self._states(sequence, patches))

    def encode(self, sequence: MaskedSequence, /) -> MaskedSequence:
        """Both halves before they are merged, `(batch, samples, 2)` → `(batch, frames, states_dim)`."""
        patches = flat_patches(sequence.features[:, :, 1].detach(), self._heard(sequence.lengths), self.vggish.grid)
        return self._states(sequence, patches)

    def finish(self, states: MaskedSequence, /) -> MaskedSequence:
        """Mix the layers, merge the halves: `(batch, frames, states_dim)` → `(batch, frames, dim)`."""
        border = self.wav2vec2.states_dim
        first, second = states.features[:, :, :border], states.features[:, :, border:]
        context = self.wav2vec2.finish(states.with_features(first))
        return states.with_features(self.merge(context.features, second)).zeroed()

    def _heard(self, lengths: Tensor) -> Tensor:
        """The samples of each row of which patches are cut, `(batch,)`: a row without frames needs none."""
        return lengths.masked_fill(self.output_lengths(lengths) == 0, 0)

    def _states(self, sequence: MaskedSequence, patches: FlatPatches) -> MaskedSequence:
        with encoding(self._obstacle):
            context = self.wav2vec2.encode(sequence.with_features(sequence.features[:, :, :1]))
            embeddings: Tensor = self.vggish(patches)  # (patches, dim)
            at_frames = interpolate(
                embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)),
                self.vggish.grid.counts(self._heard(sequence.lengths)),
                lengths=context.lengths,
                time=context.features.shape[1],
                source=self.patch_axis,
                target=self.frame_axis,
            )  # (batch, frames, vggish dim)
            at_frames = at_frames.to(torch.promote_types(embeddings.dtype, context.features.dtype))
            return context.with_features(torch.cat([context.features, at_frames], dim=-1))
