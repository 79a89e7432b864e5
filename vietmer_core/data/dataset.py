"""From a row of a manifest to what the model reads: one utterance at a time, in the loader's workers."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, final

import attrs
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vietmer_core.augment.operation import Waveform
from vietmer_core.augment.pipeline import WaveformAugmentation
from vietmer_core.batch import Batch, Stage, absent_sequence
from vietmer_core.components import Modality
from vietmer_core.data.audio import read_segment
from vietmer_core.data.draw import Draw
from vietmer_core.data.preparing import prepare_audio, prepare_text, samples_added
from vietmer_core.data.sample_cache import SampleCache
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError
from vietmer_core.frontends import Frontends
from vietmer_core.sequence import MaskedSequence, pad_rows

if TYPE_CHECKING:
    from vietmer_core.features.states import SplitStates


class Utterances(Protocol):
    """What a dataset reads of a split: a `Manifest`, or one whose utterances are changed. Must survive `pickle`."""

    @property
    def sizes(self) -> UtteranceSizes: ...
    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> Utterance: ...


@attrs.frozen(kw_only=True, eq=False)
class Sample:
    """One utterance, ready to be collated.

    Attributes:
        index: Its position in the split.
        text: `(tokens, fields)` ids or `(tokens, dim)` states, or None where the model reads no text.
        audio: `(frames, dim)` features or states, or None where the model hears nothing.
        label: Its class, or None at prediction.
        soft_label: `(classes,)` float32 share of the raters for each class, or None where the split has no soft labels.
        identity: A number that stands for its id in every split and run, or None where it has no id.
        tokens_cut: Tokens of its transcript that the frontend left out.
        samples_added: Samples that the frontend added to its audio, which was too short.
        text_stage: Whether `text` holds ids or states.
        audio_stage: Whether `audio` holds features or states.
    """

    index: int
    text: Tensor | None
    audio: Tensor | None
    label: int | None
    soft_label: Tensor | None = None
    identity: int | None = None
    tokens_cut: int = 0
    samples_added: int = 0
    text_stage: Stage = Stage.FEATURES
    audio_stage: Stage = Stage.FEATURES

    @property
    def num_bytes(self) -> int:
        """Memory that its tensors take."""
        tensors = [tensor for tensor in (self.text, self.audio, self.soft_label) if tensor is not None]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@attrs.frozen(kw_only=True, eq=False)
class Prepared:
    """What is kept in memory of an utterance: a sample, or one that still lacks its audio, and the waveform.

    Attributes:
        sample: Whole where there is no waveform; else its `audio` is None.
        waveform: As it was read, where it is changed anew in every epoch.
    """

    sample: Sample
    waveform: Waveform | None

    @property
    def index(self) -> int:
        """Position of the utterance in its split."""
        return self.sample.index

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.sample.num_bytes + (0 if self.waveform is None else self.waveform.nbytes)


def identity_of(utterance_id: str) -> int:
    """A number from 0 to 2^63 - 1 for an utterance's id, the same on every machine."""
    digest = hashlib.blake2b(utterance_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@final
class UtteranceDataset(Dataset[Sample]):
    """A split, prepared one utterance at a time.

    Args:
        manifest: The rows.
        frontends: Those of the model.
        labels: The label space; None at prediction.
        channel: How files of several channels are read (`DataSpec.channel`).
        cache_mib: Memory for prepared utterances in this process, MiB; the least recently used go first.
        states: Kept states of frozen encoders, which are read instead of preparing the modality.
        allows_nothing: Whether an utterance of which nothing is left to read is a sample all the same.
        augmentation: Changes waveforms, where an utterance is asked for by a `Draw`; a plain position, as evaluation
            asks, gives it as it is.

    Raises:
        DataError: at access, if the audio or the transcript cannot be used (`vietmer_core.data.preparing`), or the row
            has nothing that the model reads.
    """

    def __init__(
        self,
        manifest: Utterances,
        *,
        frontends: Frontends,
        labels: Sequence[str] | None,
        channel: Literal["mono", "mix"] | int,
        cache_mib: int = 0,
        states: "Mapping[Modality, SplitStates] | None" = None,
        allows_nothing: bool = False,
        augmentation: WaveformAugmentation | None = None,
    ) -> None:
        self._manifest = manifest
        self._frontends = frontends
        self._classes = None if labels is None else {label: index for index, label in enumerate(labels)}
        self._channel = channel
        self._cache: SampleCache[Prepared] = SampleCache(cache_mib)
        self._states = dict(states or {})
        self._allows_nothing = allows_nothing
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self._manifest)

    def __getitem__(self, drawn: int | Draw) -> Sample:
        index, epoch = (drawn.index, drawn.epoch) if isinstance(drawn, Draw) else (drawn, None)
        prepared = self._cache.get(index)
        if prepared is None:
            prepared = self._prepare(index)
            self._cache.put(prepared)
        if prepared.waveform is None:
            return prepared.sample
        return self._heard(prepared.sample, prepared.waveform, epoch)

    def _prepare(self, index: int) -> Prepared:
        utterance = self._manifest[index]
        text, cut = self._text(utterance, index)
        waveform = self._waveform(utterance)  # (samples,) or None
        is_changed = waveform is not None and len(waveform) > 0 and self._augmentation is not None
        audio, added = (None, 0) if is_changed else self._audio(utterance, index, waveform)
        if not self._allows_nothing and not any(len(part) for part in (text, waveform, audio) if part is not None):
            read = " or ".join(name for name, part in (("transcript", text), ("audio", audio)) if part is not None)
            raise DataError(f"{utterance.place}: `{utterance.utterance_id}` has no {read}, all that the model reads.")
        sample = Sample(
            index=index,
            text=text,
            audio=audio,
            label=None if self._classes is None or utterance.label is None else self._classes[utterance.label],
            soft_label=self._soft_label(utterance),
            identity=identity_of(utterance.utterance_id),
            tokens_cut=cut,
            samples_added=added,
            text_stage=self._stage(Modality.TEXT),
            audio_stage=self._stage(Modality.AUDIO),
        )
        return Prepared(sample=sample, waveform=waveform if is_changed else None)

    def _heard(self, sample: Sample, waveform: Waveform, epoch: int | None) -> Sample:
        """The sample with the features of its waveform, changed where it is drawn in an epoch."""
        frontend = self._frontends.audio
        assert frontend is not None
        assert sample.identity is not None
        if epoch is not None and self._augmentation is not None:
            waveform = self._augmentation(
                waveform, identity=sample.identity, epoch=epoch, num_frames=frontend.num_frames
            )
        audio = prepare_audio(self._frontends, torch.from_numpy(waveform), place=self._manifest[sample.index].place)
        return attrs.evolve(sample, audio=audio, samples_added=samples_added(frontend, len(waveform)))

    def _soft_label(self, utterance: Utterance) -> Tensor | None:
        if self._classes is None or utterance.soft_label is None:
            return None
        shares = [utterance.soft_label.get(label, 0.0) for label in self._classes]
        return torch.tensor(shares, dtype=torch.float32)  # (classes,)

    def _stage(self, modality: Modality) -> Stage:
        return Stage.STATES if modality in self._states else Stage.FEATURES

    def _text(self, utterance: Utterance, index: int) -> tuple[Tensor | None, int]:
        """Ids or states, and the number of tokens cut."""
        frontend = self._frontends.text
        if frontend is None:
            return None, 0
        if Modality.TEXT in self._states:
            return self._states[Modality.TEXT].read(index), frontend.tokens_cut(utterance.transcript or "")
        ids = prepare_text(frontend, utterance.transcript, place=utterance.place)  # (tokens, fields)
        return ids, frontend.tokens_cut(utterance.transcript or "")

    def _waveform(self, utterance: Utterance) -> Waveform | None:
        """The samples that the audio frontend hears, or None where there is nothing to be heard."""
        frontend = self._frontends.audio
        if frontend is None or Modality.AUDIO in self._states or utterance.wav_path is None:
            return None
        try:
            return read_segment(
                utterance.wav_path,
                start=utterance.start,
                end=utterance.end,
                channel=self._channel,
                sampling_rate=frontend.sampling_rate,
            )
        except DataError as error:
            raise DataError(f"{utterance.place}: {error}") from None

    def _audio(self, utterance: Utterance, index: int, waveform: Waveform | None) -> tuple[Tensor | None, int]:
        """Features or states, and the number of samples added."""
        frontend = self._frontends.audio
        if frontend is None:
            return None, 0
        if Modality.AUDIO in self._states:
            seconds = float(self._manifest.sizes.audio_seconds[index])
            added = samples_added(frontend, round(seconds * frontend.sampling_rate))
            return self._states[Modality.AUDIO].read(index), added
        if waveform is None:
            return frontend(torch.zeros(0)), 0
        features = prepare_audio(self._frontends, torch.from_numpy(waveform), place=utterance.place)
        return features, samples_added(frontend, len(waveform))


def _padded(rows: Sequence[Tensor | None]) -> MaskedSequence:
    present = [row for row in rows if row is not None]
    return pad_rows(present) if present else absent_sequence(len(rows))


def collate(samples: Sequence[Sample]) -> Batch:
    """Pad samples into one batch, zeros in the padding."""
    labels = [sample.label for sample in samples]
    known = [label for label in labels if label is not None]
    soft_labels = [sample.soft_label for sample in samples if sample.soft_label is not None]
    identities = [sample.identity for sample in samples if sample.identity is not None]
    return Batch(
        text=_padded([sample.text for sample in samples]),
        audio=_padded([sample.audio for sample in samples]),
        labels=torch.tensor(known, dtype=torch.int64) if len(known) == len(labels) else None,
        indices=torch.tensor([sample.index for sample in samples], dtype=torch.int64),
        soft_labels=torch.stack(soft_labels) if len(soft_labels) == len(samples) else None,
        identities=torch.tensor(identities, dtype=torch.int64) if len(identities) == len(samples) else None,
        text_stage=samples[0].text_stage,
        audio_stage=samples[0].audio_stage,
    )
