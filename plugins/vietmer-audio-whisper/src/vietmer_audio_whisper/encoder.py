"""The encoder: mel frames of each utterance at its true length, or padded to 30 s, through Whisper."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, final

import torch
from torch import Tensor, nn

from vietmer_audio_whisper.frontend import TAIL_FRAMES
from vietmer_audio_whisper.network import encode, frame_lengths
from vietmer_audio_whisper.windows import cut, grouped, joined, parts_of, quiet_compiler, uncompiled
from vietmer_core.nn.draws import part_draws
from vietmer_core.nn.dropout import regrouped
from vietmer_core.nn.spec_augment import hide_spans
from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.pretrained.backbone import PretrainedBackbone
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.stack import encoding
from vietmer_core.sequence import MaskedSequence

WINDOWS_AT_ONCE: Final = 4
"""Full windows of one utterance that are encoded together where nothing drops: what bounds the memory."""


@final
class WhisperAudioEncoder(nn.Module):
    """Mel frames `(batch, mel frames, mels)` → frames `(batch, frames, dim)`, 50 a second.

    The encoder of Radford et al. 2022, "Robust speech recognition via large-scale weak supervision". Utterances longer
    than a window are read in overlapping windows, which follow from the utterance's own length. Zeros in the padding.

    Args:
        backbone: Holds transformers' `WhisperEncoder`.
        mix: Which layers are read.
        window: Most frames that are read at once.
        overlap: Fewest frames that neighbouring windows share.
        pads_to_window: Each utterance is padded with its last frame to the window, which is read without any mask, as
            transformers does; `TAIL_FRAMES` of the frames given are then no frames of the utterance.
        spec_augment: Hides spans in training, also where the network is frozen.
        recomputes: Gradient checkpointing.

    Attributes:
        output_dim: Width of the frames.
        states_dim: Width of the states that `encode` gives.
    """

    def __init__(
        self,
        *,
        backbone: PretrainedBackbone,
        mix: LayerMix,
        window: int,
        overlap: int,
        pads_to_window: bool = False,
        spec_augment: SpecAugmentParams | None = None,
        recomputes: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.mix = mix
        self.output_dim = int(backbone.model.config.d_model)  # type: ignore[union-attr, arg-type]  # a WhisperConfig
        self.states_dim = mix.states_dim(self.output_dim)
        self._window = window
        self._overlap = overlap
        self._tail = TAIL_FRAMES if pads_to_window else 0
        self._spec_augment = spec_augment
        self._recomputes = recomputes
        hides = "" if spec_augment is None else "`spec_augment` hides other spans in every epoch"
        self._obstacle = backbone.plan.obstacle() or hides

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames for mel frames: the half, rounded up; with `pads_to_window` without the tail."""
        return frame_lengths((lengths - self._tail).clamp(min=0))

    def obstacle(self) -> str:
        """What trains or draws inside the network, as a clause; "" where nothing does."""
        return self._obstacle

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """Encode mel frames; padding, whatever it holds, is not read."""
        return self.finish(self.encode(sequence))

    def encode(self, sequence: MaskedSequence) -> MaskedSequence:
        """The states that are read, `(batch, mel frames, mels)` → `(batch, frames, states_dim)`."""
        with encoding(self._obstacle):
            return self._states(self._augmented(sequence.zeroed()))

    def finish(self, states: MaskedSequence) -> MaskedSequence:
        """Mix the layers: `(batch, frames, states_dim)` → `(batch, frames, dim)`."""
        return states.with_features(self.mix(states.features))

    def _states(self, sequence: MaskedSequence) -> MaskedSequence:
        lengths = self.output_lengths(sequence.lengths)
        batch, width = sequence.features.shape[:2]
        if width > 2 * self._window + self._tail:
            return self._windowed(sequence, lengths)
        if not width:
            return MaskedSequence(features=sequence.features.new_zeros((batch, 0, self.states_dim)), lengths=lengths)
        owners = torch.arange(batch, device=lengths.device)
        with self._dropping(sequence.draws, owners=owners, positions=torch.zeros_like(owners)):
            states = self._encoded(sequence.features, sequence.lengths)
        states = states[:, : self._time(width)]  # (batch, frames, states_dim)
        return MaskedSequence(features=states, lengths=lengths, draws=sequence.draws).zeroed()

    def _time(self, width: int) -> int:
        """Padded frames for padded mel frames."""
        return max(width - self._tail + 1, 0) // 2

    def _encoded(self, mels: Tensor, lengths: Tensor) -> Tensor:
        """Rows of at most a window, alone or parts of utterances: `(rows, frames, states_dim)`."""
        lengths = lengths.clamp(min=1)
        if not self._tail:
            return encode(self.backbone.model, mels, lengths, mix=self.mix, recomputes=self._recomputes)
        places = torch.arange(2 * self._window, device=mels.device)
        places = torch.minimum(places[None, :], lengths[:, None] - 1)  # (rows, mel frames), the last one repeated
        padded = mels.gather(1, places[:, :, None].expand(-1, -1, mels.shape[2]))  # (rows, mel frames, mels)
        frames = encode(self.backbone.model, padded, None, mix=self.mix, recomputes=self._recomputes)
        return frames[:, : (mels.shape[1] + 1) // 2]

    @uncompiled(recursive=False)
    def _windowed(self, sequence: MaskedSequence, lengths: Tensor) -> MaskedSequence:
        parts = parts_of(sequence.lengths.tolist(), lengths.tolist(), window=self._window, overlap=self._overlap)
        encoded: dict[int, Tensor] = {}
        # In training all at once: dropout counts its calls, which must not depend on the neighbours.
        most = WINDOWS_AT_ONCE * (2 * self._window + self._tail)
        groups = [list(range(len(parts)))] if self._drops else grouped(parts, most_mel_frames=most)
        with quiet_compiler():
            for group in filter(None, groups):
                chosen = [parts[index] for index in group]
                mels, mel_lengths = cut(sequence.features, chosen)  # (parts, mel frames, mels), (parts,)
                owners = torch.tensor([part.owner for part in chosen], device=mels.device)
                positions = torch.tensor([part.number for part in chosen], device=mels.device)
                with self._dropping(sequence.draws, owners=owners, positions=positions):
                    states = self._encoded(mels, mel_lengths)  # (parts, frames, states_dim)
                encoded.update(zip(group, states, strict=True))
            nothing = sequence.features.new_zeros((0, self.states_dim))
            pieces = [encoded[index] for index in range(len(parts))]
            time = self._time(sequence.features.shape[1])
            stitched = joined(pieces, parts, num_rows=len(lengths), time=time, nothing=nothing)
            return MaskedSequence(features=stitched, lengths=lengths, draws=sequence.draws).zeroed()

    def _augmented(self, sequence: MaskedSequence) -> MaskedSequence:
        if self._spec_augment is None or not self.training:
            return sequence
        real = (sequence.lengths - self._tail).clamp(min=0)
        heard = MaskedSequence(features=sequence.features, lengths=real, draws=sequence.draws)
        return sequence.with_features(hide_spans(heard, self._spec_augment))

    @property
    def _drops(self) -> bool:
        """Whether dropout draws inside the network."""
        return self.training and self.backbone.is_tuned

    def _dropping(self, draws: Tensor | None, *, owners: Tensor, positions: Tensor) -> AbstractContextManager[None]:
        """Inside, the rows are windows: what one drops belongs to its utterance and its place there."""
        if draws is None or not self._drops:
            return nullcontext()
        return regrouped(part_draws(draws, owners=owners, positions=positions))
