"""The typed protocols that components fulfil, and the signatures of the `build` functions that make them.

Each module protocol declares `forward` as well as `__call__`: with `__call__` alone any `nn.Module` would pass.
Implementations are `@final` and derive from `nn.Module` only.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from vietmer_core.components import Modality
from vietmer_core.data.sizes import UtteranceSizes as UtteranceSizes  # noqa: PLC0414  # part of this contract
from vietmer_core.sequence import MaskedSequence


@runtime_checkable
class TextFrontend(Protocol):
    """Turns one transcript into one sequence, in the loader's workers. Must survive `pickle`."""

    def __call__(self, transcript: str, /) -> Tensor:
        """Ids `(tokens, fields)` int64. An empty transcript gives no tokens: `(0, fields)`."""
        ...

    def tokens_cut(self, transcript: str, /) -> int:
        """Tokens that a call leaves out because the transcript is longer than the encoder takes; usually 0.

        Runs and predictions report it: no transcript is cut silently.
        """
        ...


@runtime_checkable
class AudioFrontend(Protocol):
    """Turns one waveform into one sequence, in the loader's workers. Must survive `pickle`."""

    @property
    def sampling_rate(self) -> int:
        """Rate of the waveforms it takes, Hz."""
        ...

    def __call__(self, waveform: Tensor, /) -> Tensor:
        """Features `(frames, dim)` float32 of a mono waveform `(samples,)` float32 in [-1, 1].

        No samples give no frames: `(0, dim)`. So does a waveform too short for one frame: the caller refuses it.
        """
        ...

    def num_frames(self, num_samples: int, /) -> int:
        """Frames that a waveform of `num_samples` gives."""
        ...


@runtime_checkable
class PadsShortAudio(Protocol):
    """What an `AudioFrontend` offers beside, if it lengthens audio that is too short for its encoder.

    Runs and predictions report it: no audio is lengthened silently.
    """

    def samples_added(self, num_samples: int, /) -> int:
        """Samples that a call adds to a waveform of `num_samples`; usually 0, and 0 for one of no samples."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Features of one modality → contextual frames `(batch, time, output_dim)`."""

    @property
    def output_dim(self) -> int: ...

    def output_lengths(self, lengths: Tensor, /) -> Tensor:
        """Lengths out for lengths in, `(batch,)` int64 → `(batch,)` int64; 0 stays 0."""
        ...

    def forward(self, sequence: MaskedSequence, /) -> MaskedSequence: ...
    def __call__(self, sequence: MaskedSequence, /) -> MaskedSequence: ...


@runtime_checkable
class CacheableEncoder(Protocol):
    """What an `Encoder` offers beside, if it has a part that can be frozen and stands before all that is trained.

    `encoder(x)` equals `encoder.finish(encoder.encode(x))` to the bit. Where nothing of that part is trained, what
    `encode` gives of an utterance is the same in every run, so it may be computed once and kept (the feature cache).
    """

    @property
    def states_dim(self) -> int:
        """Width of the states."""
        ...

    def obstacle(self) -> str:
        """Why states may not be kept, as a clause that names the field: "`lora` trains inside it"; "" where they may.

        Whatever changes them from one epoch to the next is an obstacle: training of that part, at any epoch, and
        augmentation inside it.
        """
        ...

    def encode(self, sequence: MaskedSequence, /) -> MaskedSequence:
        """What the frontend gave → states `(batch, time, states_dim)` at the encoder's output lengths.

        Zeros in the padding. Where `obstacle` is "", no gradient flows and nothing is drawn, in training mode too.
        """
        ...

    def finish(self, states: MaskedSequence, /) -> MaskedSequence:
        """States → frames `(batch, time, output_dim)`, such as a learned sum of layers; may be trained."""
        ...


@runtime_checkable
class Fusion(Protocol):
    """Both modalities → one stream, or several; each stream is pooled alone and the embeddings stand side by side.

    A modality that the fusion does not read arrives as `(batch, 0, 0)`. A row whose modality is absent has length 0.
    """

    @property
    def output_dims(self) -> tuple[int, ...]:
        """Width of each stream."""
        ...

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]: ...
    def __call__(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]: ...


@runtime_checkable
class NamesStreams(Protocol):
    """What a `Fusion` offers beside, if the frames of its streams are those of its inputs, updated."""

    @property
    def stream_modalities(self) -> tuple[tuple[Modality, ...], ...]:
        """For each stream the modalities whose frames stand in it, one behind the other in this order."""
        ...


@runtime_checkable
class ExposesAttention(Protocol):
    """What a module offers beside, if its attention may be read (`vietmer_core.nn.attention_reading`)."""

    @property
    def attention_weights(self) -> Callable[..., Tensor]:
        """Called with the inputs of `forward`, gives the weights that it mixes with: `(batch, heads, …, frames)`.

        Over the frames they sum to 1; padding, and whatever has nothing to attend to, has exactly 0. It changes
        nothing, and `forward` does not pay for it.
        """
        ...


@runtime_checkable
class Pooler(Protocol):
    """One stream → one embedding `(batch, output_dim)`; a row of length 0 gives zeros and no gradient."""

    @property
    def output_dim(self) -> int: ...

    def forward(self, sequence: MaskedSequence, /) -> Tensor: ...
    def __call__(self, sequence: MaskedSequence, /) -> Tensor: ...


@runtime_checkable
class Head(Protocol):
    """Embeddings `(batch, dim)` → logits `(batch, classes)`, in the order of the label space."""

    def forward(self, embedding: Tensor, /) -> Tensor: ...
    def __call__(self, embedding: Tensor, /) -> Tensor: ...


@runtime_checkable
class Loss(Protocol):
    """Logits `(batch, classes)` and labels → loss of each utterance `(batch,)`, not yet averaged.

    Labels are classes `(batch,)` int64, or soft labels `(batch, classes)` of the logits' dtype whose rows sum to 1.
    The training loop divides the sum by the number of utterances of the global batch.
    """

    def forward(self, logits: Tensor, labels: Tensor, /) -> Tensor: ...
    def __call__(self, logits: Tensor, labels: Tensor, /) -> Tensor: ...


@runtime_checkable
class Sampler(Protocol):
    """The order of a split, a pure function of the epoch.

    A sampler keeps no position: `vietmer_core.data.batches` counts the batches consumed, shards them over processes
    and continues in the middle of an epoch, for every sampler alike.
    """

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """The global batches of an epoch: positions in the split, from (seed, epoch) alone."""
        ...


class BuildTextFrontend(Protocol):
    """`Component.build_frontend` of the role text."""

    def __call__(self, params: Any, /) -> TextFrontend: ...


class BuildAudioFrontend(Protocol):
    """`Component.build_frontend` of the role audio."""

    def __call__(self, params: Any, /) -> AudioFrontend: ...


class BuildEncoder(Protocol):
    """`Component.build` of the roles text and audio."""

    def __call__(self, params: Any, /) -> Encoder: ...


class BuildFusion(Protocol):
    """`Component.build` of the role fusion; a dim is 0 for a modality that the fusion does not read."""

    def __call__(self, params: Any, /, *, text_dim: int, audio_dim: int) -> Fusion: ...


class BuildPooler(Protocol):
    """`Component.build` of the role pooler."""

    def __call__(self, params: Any, /, *, dim: int) -> Pooler: ...


class BuildHead(Protocol):
    """`Component.build` of the role head."""

    def __call__(self, params: Any, /, *, dim: int, num_classes: int) -> Head: ...


class BuildLoss(Protocol):
    """`Component.build` of the role loss; `class_counts` holds the training utterances of each label, in order."""

    def __call__(self, params: Any, /, *, class_counts: Mapping[str, int]) -> Loss: ...


class BuildSampler(Protocol):
    """`Component.build` of the role sampler."""

    def __call__(self, params: Any, /, *, sizes: UtteranceSizes, seed: int) -> Sampler: ...


class BuildCorpus(Protocol):
    """`Component.build` of the role corpus: the path of a JSONL manifest."""

    def __call__(self, params: Any, /) -> Path: ...


class BuildTracker(Protocol):
    """`Component.build` of the role tracker: an observer of one run.

    An observer is any object that implements one or more of the hooks `fill_cache`, `start_run`, `end_step`,
    `end_epoch` and `finish_run`, each a method marked with `@hookimpl` (`vietmer_core.hooks`). It is built before the
    run folder is made; `start_run` names that folder. Whatever is not torch-free is imported here, not before.
    """

    def __call__(self, params: Any, /) -> object: ...
