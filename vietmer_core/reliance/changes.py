"""The kinds of change: each makes of a split one that differs in one thing."""

from collections.abc import Callable, Mapping
from typing import Protocol, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.augment.operation import WaveformOperation
from vietmer_core.augment.pipeline import DrawnOperation, WaveformAugmentation
from vietmer_core.components import Modality
from vietmer_core.data.dataset import Utterances
from vietmer_core.data.manifest import Manifest
from vietmer_core.features.states import SplitStates
from vietmer_core.reliance.donors import NOBODY, deranged
from vietmer_core.reliance.transcripts import TranscriptChange, Vocabulary
from vietmer_core.reliance.utterances import ChangedUtterances
from vietmer_core.reliance.word_errors import WordErrors, word_errors, words_of

States = Mapping[Modality, SplitStates]


@attrs.frozen(kw_only=True, eq=False)
class Split:
    """A split as it is, and what its changes are drawn from.

    Attributes:
        manifest: Its rows.
        states: Kept states of frozen encoders.
        seed: Of every draw.
        sampling_rate: Of the audio frontend, Hz; 0 where there is none.
        ids: Of its utterances.
        vocabulary: The words of its transcripts.
    """

    manifest: Manifest
    states: States
    seed: int
    sampling_rate: int
    ids: tuple[str, ...]
    vocabulary: Vocabulary

    @classmethod
    def of(cls, manifest: Manifest, *, states: States, seed: int, sampling_rate: int) -> "Split":
        """Read the ids and the words of a manifest."""
        utterances = list(manifest)
        return cls(
            manifest=manifest,
            states=states,
            seed=seed,
            sampling_rate=sampling_rate,
            ids=tuple(utterance.utterance_id for utterance in utterances),
            vocabulary=Vocabulary.of(utterance.transcript or "" for utterance in utterances),
        )

    def has(self, modality: Modality) -> NDArray[np.bool_]:
        """`(utterances,)`, True for those that have a modality."""
        sizes = self.manifest.sizes
        present: NDArray[np.bool_] = sizes.text_words > 0 if modality is Modality.TEXT else sizes.audio_seconds > 0
        return present

    @property
    def own(self) -> NDArray[np.int64]:
        """`(utterances,)`, every utterance its own donor."""
        return np.arange(len(self.manifest))


@attrs.frozen(kw_only=True, eq=False)
class Changed:
    """One draw of a change.

    Attributes:
        utterances: What the dataset reads.
        states: Kept states that still hold.
        augmentation: Of the waveforms, or None.
        compared: `(utterances,)`, True for those that the change concerns.
        measured: What was measured of the change itself.
    """

    utterances: Utterances
    states: States
    compared: NDArray[np.bool_]
    augmentation: WaveformAugmentation | None = None
    measured: Mapping[str, float] = attrs.field(factory=dict)


class Change(Protocol):
    """Makes a draw of a change; the same for the same split and number."""

    def __call__(self, split: Split, /, *, draw: int) -> Changed: ...


def unchanged(split: Split, /, *, draw: int = 0) -> Changed:  # noqa: ARG001  # the signature of a change
    """The split as it is."""
    return Changed(utterances=split.manifest, states=split.states, compared=np.ones(len(split.manifest), bool))


def computed(split: Split, /, *, draw: int = 0) -> Changed:  # noqa: ARG001  # as above
    """The split as it is, but nothing of its audio is read from the feature cache."""
    compared = split.has(Modality.AUDIO)
    return Changed(utterances=split.manifest, states=_without(split.states, Modality.AUDIO), compared=compared)


@final
@attrs.frozen(kw_only=True)
class Removed:
    """Modalities are absent: length 0, as in a row that never had them. Concerns the utterances that have both.

    Attributes:
        modalities: Which.
    """

    modalities: frozenset[Modality]

    def __call__(self, split: Split, /, *, draw: int) -> Changed:  # noqa: ARG002  # the signature of a change
        """Every modality of `modalities` from nobody."""
        nobody = np.full(len(split.manifest), NOBODY)
        text, audio = (
            nobody if modality in self.modalities else split.own for modality in (Modality.TEXT, Modality.AUDIO)
        )
        return _given(split, text=text, audio=audio)


@final
@attrs.frozen(kw_only=True)
class Swapped:
    """A modality comes from another utterance (`deranged`). Concerns the utterances that have both and find a donor.

    Attributes:
        modality: Which.
        within_label: Whether the donor has the same label.
    """

    modality: Modality
    within_label: bool

    def __call__(self, split: Split, /, *, draw: int) -> Changed:
        """A derangement of its own for each draw; `same` is the share whose donor has the very same text or segment."""
        both = split.has(Modality.TEXT) & split.has(Modality.AUDIO)
        groups = split.manifest.sizes.labels.tolist() if self.within_label else None
        donors = deranged(split.ids, seed=split.seed, draw=draw, eligible=both, groups=groups)
        text, audio = (
            donors if modality is self.modality else split.own for modality in (Modality.TEXT, Modality.AUDIO)
        )
        changed = _given(split, text=text, audio=audio)
        compared = both & (donors != split.own)
        rows = np.flatnonzero(compared).tolist()
        same = [self._content(split, row) == self._content(split, int(donors[row])) for row in rows]
        return attrs.evolve(changed, compared=compared, measured={"same": float(np.mean(same)) if same else 0.0})

    def _content(self, split: Split, position: int) -> object:
        utterance = split.manifest[position]
        if self.modality is Modality.TEXT:
            return utterance.transcript
        return utterance.wav_path, utterance.start, utterance.end


@final
@attrs.frozen(kw_only=True)
class Sounded:
    """The waveform goes through an operation of `vietmer_core.augment`. Concerns the utterances that have audio.

    Attributes:
        stream: Names its random numbers: conditions of one stream draw the same noise.
        operation: Made for a sampling rate, Hz.
    """

    stream: str
    operation: Callable[[int], WaveformOperation]

    def __call__(self, split: Split, /, *, draw: int) -> Changed:  # noqa: ARG002  # the draw travels with each position
        """The audio is computed, never read from the feature cache."""
        drawn = DrawnOperation(name=self.stream, probability=1.0, operation=self.operation(split.sampling_rate))
        return Changed(
            utterances=split.manifest,
            states=_without(split.states, Modality.AUDIO),
            augmentation=WaveformAugmentation(operations=(drawn,), seed=split.seed),
            compared=split.has(Modality.AUDIO),
        )


@final
@attrs.frozen(kw_only=True)
class Rewritten:
    """The transcript is changed. Concerns the utterances that have one.

    Attributes:
        rewrite: Made for a split.
    """

    rewrite: Callable[[Split], TranscriptChange]

    def __call__(self, split: Split, /, *, draw: int) -> Changed:
        """The text is computed; the word errors of the changed transcripts against the given ones are measured."""
        utterances = ChangedUtterances(
            manifest=split.manifest, text_from=split.own, audio_from=split.own, rewrite=self.rewrite(split), draw=draw
        )
        compared, errors = split.has(Modality.TEXT), WordErrors()
        for row in np.flatnonzero(compared).tolist():
            said, heard = (source[row].transcript or "" for source in (split.manifest, utterances))
            errors += word_errors(words_of(said), words_of(heard))
        return Changed(
            utterances=utterances,
            states=_without(split.states, Modality.TEXT),
            compared=compared,
            measured={"wer": errors.rate, **attrs.asdict(errors)},
        )


def _without(states: States, modality: Modality) -> States:
    return {kept: values for kept, values in states.items() if kept is not modality}


def _given(split: Split, *, text: NDArray[np.int64], audio: NDArray[np.int64]) -> Changed:
    """The split with the modalities of donors; kept states go with them."""
    sources = {Modality.TEXT: text, Modality.AUDIO: audio}
    states = {modality: states.of_donors(sources[modality]) for modality, states in split.states.items()}
    return Changed(
        utterances=ChangedUtterances(manifest=split.manifest, text_from=text, audio_from=audio),
        states=states,
        compared=split.has(Modality.TEXT) & split.has(Modality.AUDIO),
    )
