"""The encoder: SpecAugment, patches of log-mel frames, a linear layer, positions, a Transformer."""

from typing import final

from torch import Tensor, nn

from vietmer_audio_fourier2vec.patches import mean_patches, patch_lengths
from vietmer_core.nn.spec_augment import hide_spans
from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.nn.transformer import TransformerEncoder, sinusoidal_positions
from vietmer_core.sequence import MaskedSequence


@final
class Fourier2VecEncoder(nn.Module):
    """Log-mel frames `(batch, frames, mels)` → `(batch, patches, dim)`, trained from scratch.

    Each patch is the mean of `patch_frames` frames (the last one of those that are left), projected to `dim`, plus
    its sinusoidal position, counted from the utterance's start; a pre-norm Transformer reads the whole utterance.
    Zeros in the padding.

    Args:
        num_mels: Width of the frames.
        dim: Width of the output.
        patch_frames: Frames in a patch.
        num_layers: Number of Transformer blocks.
        num_heads: Must divide `dim`.
        hidden_dim: Width of the feed-forward layers.
        dropout: Probability of dropping a projected unit, an attention weight or a feed-forward unit in training.
        spec_augment: Spans of frames and bands hidden in training, before frames become patches; None hides nothing.

    Raises:
        ValueError: if `num_heads` does not divide `dim`.
    """

    def __init__(
        self,
        *,
        num_mels: int,
        dim: int,
        patch_frames: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        dropout: float,
        spec_augment: SpecAugmentParams | None = None,
    ) -> None:
        super().__init__()
        self.spec_augment = spec_augment
        self.output_dim = dim
        self.patch_frames = patch_frames
        self.projection = nn.Linear(num_mels, dim)
        self.dropout = nn.Dropout(dropout)
        self.transformer = TransformerEncoder(
            dim=dim, num_layers=num_layers, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout
        )

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Patches for frames: lengths / `patch_frames`, rounded up."""
        return patch_lengths(lengths, self.patch_frames)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, mels)` → `(batch, patches, dim)`."""
        patches = mean_patches(self._augmented(sequence), self.patch_frames)  # (batch, patches, mels)
        states = self.projection(patches.features)  # (batch, patches, dim)
        states = states + sinusoidal_positions(
            states.shape[1], self.output_dim, device=states.device, dtype=states.dtype
        )
        encoded: MaskedSequence = self.transformer(patches.with_features(self.dropout(states)))
        return encoded.zeroed()

    def _augmented(self, sequence: MaskedSequence) -> MaskedSequence:
        """In training, spans hidden behind the mean of each band over the utterance's own frames (Park et al. 2019)."""
        if self.spec_augment is None or not self.training:
            return sequence
        frames = sequence.zeroed()
        means = (
            frames.features.sum(dim=1, keepdim=True) / frames.lengths.clamp(min=1)[:, None, None]
        )  # (batch, 1, mels)
        return frames.with_features(hide_spans(frames, self.spec_augment, frame_filler=means, column_filler=means))
