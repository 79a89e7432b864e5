"""Running a model at canonical shapes: an utterance's logits do not depend on its neighbours by one bit.

A kernel chooses its order of summation by the shape it is given. So each pass here has a shape that follows from one
utterance alone: every sequence is padded to the edge of its own length (`vietmer_core.shapes`), only utterances of the
same edges share a pass, and a pass has the number of rows that belongs to its edges, absent rows (length 0) added
where utterances lack. Each encoder batches by the edges of its own modality; behind the encoders, utterances are
regrouped by the edges of both.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, final

import attrs
import torch
from torch import Tensor

from vietmer_core.batch import Batch, Stage
from vietmer_core.components import Modality
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.pass_rows import pass_rows, shared_rows
from vietmer_core.sequence import MaskedSequence
from vietmer_core.shapes import FrontendEdges, PassRows, audio_edge, text_edge
from vietmer_core.spec import ShapesSpec

MODALITIES: Final = (Modality.TEXT, Modality.AUDIO)


@attrs.frozen(kw_only=True, eq=False)
class Row:
    """One modality of one utterance.

    Attributes:
        features: `(time, ...)`, the real frames alone.
        draw: Seed of its random numbers in training, `()` int64, or None.
        stage: How far it has come.
    """

    features: Tensor
    draw: Tensor | None
    stage: Stage


def rows_of(batch: Batch, modality: Modality) -> list[Row]:
    """A modality of a batch, utterance by utterance."""
    sequence, stage = batch.modality(modality)
    draws: Sequence[Tensor | None] = [None] * len(batch) if sequence.draws is None else list(sequence.draws)
    lengths = sequence.lengths.tolist()
    return [
        Row(features=sequence.features[index, :length], draw=draws[index], stage=stage)
        for index, length in enumerate(lengths)
    ]


def stacked(rows: Sequence[Row], *, width: int, num_rows: int, device: torch.device) -> MaskedSequence:
    """Rows of one stage as a sequence `(num_rows, width, ...)`, padded with zeros and with absent rows."""
    first = rows[0].features
    features = first.new_zeros((num_rows, width, *first.shape[1:]))  # (num_rows, width, ...)
    lengths = torch.zeros(num_rows, dtype=torch.int64)
    for place, row in enumerate(rows):
        features[place, : len(row.features)] = row.features
        lengths[place] = len(row.features)
    sequence = MaskedSequence(features=features.to(device), lengths=lengths.to(device))
    return sequence.with_draws(_stacked_draws([row.draw for row in rows], num_rows=num_rows, device=device))


def _stacked_draws(draws: Sequence[Tensor | None], *, num_rows: int, device: torch.device) -> Tensor | None:
    known = [draw for draw in draws if draw is not None]
    if len(known) < len(draws):
        return None
    return torch.cat([torch.stack(known), known[0].new_zeros(num_rows - len(known))]).to(device)  # (num_rows,)


@final
class CanonicalPasses:
    """The forward pass of a model, cut into passes of canonical shapes.

    Args:
        model: Runs in the mode and on the device that it is in; bits are promised in eval mode inside
            `torch.inference_mode`, at one number of threads, on one machine.
        audio_edges: Edges of the audio frontend; None where the model hears nothing, or only what is encoded already.
        rows: How many rows a pass has. On a CPU always 1 with several threads, or where a width of what runs is no
            multiple of 32: there the place of a row would change bits.
    """

    def __init__(self, model: EmotionModel, *, audio_edges: FrontendEdges | None, rows: PassRows) -> None:
        self._model = model
        self._audio_edges = audio_edges
        self._rows = shared_rows(rows, model, device=self._device)
        self._encoder_rows = {
            modality: shared_rows(rows, encoder, device=self._device)
            for modality in MODALITIES
            if (encoder := model.encoder(modality)) is not None
        }
        self._real = self._computed = 0

    def encoder_rows(self, modality: Modality) -> PassRows:
        """The rows of the passes of an encoder."""
        return self._encoder_rows[modality]

    @property
    def frames(self) -> tuple[int, int]:
        """Real and computed frames of the last `logits`, dummy rows included: audio where there is any, else text."""
        return self._real, self._computed

    @property
    def padding_efficiency(self) -> float:
        """Real ÷ computed frames of the last `logits`."""
        return self._real / self._computed if self._computed else 1.0

    @property
    def is_row_by_row(self) -> bool:
        """Whether every pass has one row, so that nothing is gained by planning many utterances together."""
        return all(
            rows.most == 1 or rows.at(frames=1, tokens=1) == 1 for rows in (self._rows, *self._encoder_rows.values())
        )

    def num_bytes(self, batch: Batch) -> int:
        """Memory that what the encoders give of a batch takes, bytes: what `logits` holds at a time."""
        total = 0
        for modality in MODALITIES:
            encoder: Any = self._model.encoder(modality)
            sequence, stage = batch.modality(modality)
            if encoder is None:
                continue
            is_given = stage is not Stage.FEATURES
            lengths = sequence.lengths if is_given else encoder.output_lengths(sequence.lengths)
            dim = encoder.states_dim if self._model.has_states(modality) else encoder.output_dim
            total += 4 * int(lengths.sum()) * int(dim)
        return total

    def logits(self, batches: Sequence[Batch]) -> Tensor:
        """Logits `(utterances, classes)` of the utterances of all batches, in their order."""
        self._real = self._computed = 0
        if self.is_row_by_row:  # one utterance in memory at a time
            return torch.cat([self._planned([one]) for batch in batches for one in _single(batch)])
        return self._planned(batches)

    def _planned(self, batches: Sequence[Batch]) -> Tensor:
        encoded = {
            modality: self.encoded(modality, [row for batch in batches for row in rows_of(batch, modality)])
            for modality in MODALITIES
        }
        draws = [draw for batch in batches for draw in _draws(batch)]
        text, audio = encoded[Modality.TEXT], encoded[Modality.AUDIO]
        groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for place, (words, sound) in enumerate(zip(text, audio, strict=True)):
            groups[text_edge(len(words.features)), audio_edge(len(sound.features))].append(place)
        found: dict[int, Tensor] = {}
        for (tokens, frames), places in sorted(groups.items()):
            num_rows = self._rows.at(frames=frames, tokens=tokens)
            for part in _parts(places, num_rows):
                chosen = [[rows[place] for place in part] for rows in (text, audio)]
                whole = self._pass(*chosen, widths=(tokens, frames), num_rows=num_rows, draws=[draws[p] for p in part])
                found.update(zip(part, whole[: len(part)], strict=True))  # (classes,) each
        return torch.stack([found[place] for place in range(len(text))])  # (utterances, classes)

    def encoded(self, modality: Modality, rows: Sequence[Row]) -> list[Row]:
        """Features through the encoder, up to its states where it has a frozen part; what is encoded stays as it is."""
        done = dict(self.encoding(modality, rows))
        return [done[place] for place in range(len(rows))]

    def encoding(self, modality: Modality, rows: Sequence[Row]) -> Iterator[tuple[int, Row]]:
        """`encoded`, pass by pass: the place of a row and the row, so that not all need be held at once."""
        if self._model.encoder(modality) is None:
            nothing = torch.zeros((0, 0), device=self._device)
            yield from (
                (place, Row(features=nothing, draw=row.draw, stage=Stage.FRAMES)) for place, row in enumerate(rows)
            )
            return
        edge_of = self._text_edge if modality is Modality.TEXT else self._audio_edge
        yield from self._through(modality, rows, edge_of=edge_of)

    def _through(
        self, modality: Modality, rows: Sequence[Row], *, edge_of: Callable[[int], tuple[int, int]]
    ) -> Iterator[tuple[int, Row]]:
        groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        absent: list[int] = []
        for place, row in enumerate(rows):
            if row.stage is not Stage.FEATURES:
                yield place, row
                continue
            width, size = edge_of(len(row.features))
            (groups[width, size] if width else absent).append(place)
        for (width, size), places in sorted(groups.items()):
            frames, tokens = (0, size) if modality is Modality.TEXT else (size, 0)
            num_rows = self._encoder_rows[modality].at(frames=frames, tokens=tokens)
            for part in _parts(places, num_rows):
                given = stacked([rows[p] for p in part], width=width, num_rows=num_rows, device=self._device)
                sequence, stage = self._model.encode(modality, given)
                lengths = sequence.lengths[: len(part)].tolist()
                for index, (place, length) in enumerate(zip(part, lengths, strict=True)):
                    features = sequence.features[index, :length]  # (time, dim)
                    yield place, Row(features=features, draw=rows[place].draw, stage=stage)
        for place in absent:
            yield place, self._absent(modality, rows[place])

    def _pass(
        self,
        text: Sequence[Row],
        audio: Sequence[Row],
        *,
        widths: tuple[int, int],
        num_rows: int,
        draws: Sequence[Tensor | None],
    ) -> Tensor:
        """Logits `(num_rows, classes)` of one pass from states or frames to the head."""
        device = self._device
        batch = Batch(
            text=stacked(text, width=widths[0], num_rows=num_rows, device=device),
            audio=stacked(audio, width=widths[1], num_rows=num_rows, device=device),
            labels=None,
            indices=torch.arange(num_rows),
            draws=_stacked_draws(draws, num_rows=num_rows, device=device),
            text_stage=text[0].stage,
            audio_stage=audio[0].stage,
        )
        heard = audio if any(len(row.features) for row in audio) else text
        self._real += sum(len(row.features) for row in heard)
        self._computed += num_rows * widths[1 if heard is audio else 0]
        logits: Tensor = self._model(batch)
        return logits

    def _absent(self, modality: Modality, row: Row) -> Row:
        """An utterance without the modality, at the width that the encoder would give."""
        device = self._device
        empty = MaskedSequence(
            features=row.features.new_zeros((1, 0, *row.features.shape[1:])).to(device),
            lengths=torch.zeros(1, dtype=torch.int64, device=device),
        )
        sequence, stage = self._model.encode(modality, empty)
        return Row(features=sequence.features[0, :0], draw=row.draw, stage=stage)

    @staticmethod
    def _text_edge(num_tokens: int) -> tuple[int, int]:
        return text_edge(num_tokens), text_edge(num_tokens)

    def _audio_edge(self, num_frames: int) -> tuple[int, int]:
        if self._audio_edges is None:
            raise ValueError("`audio_edges` must be given where the model encodes audio, but is None instead.")
        return self._audio_edges.edge(num_frames)

    @property
    def _device(self) -> torch.device:
        return next(self._model.parameters()).device


def _single(batch: Batch) -> Iterator[Batch]:
    """The utterances of a batch as batches of their own."""
    for index in range(len(batch)):
        rows = slice(index, index + 1)
        yield Batch(
            text=_row(batch.text, index),
            audio=_row(batch.audio, index),
            labels=None,
            indices=batch.indices[rows],
            draws=None if batch.draws is None else batch.draws[rows],
            text_stage=batch.text_stage,
            audio_stage=batch.audio_stage,
        )


def _row(sequence: MaskedSequence, index: int) -> MaskedSequence:
    rows = slice(index, index + 1)
    draws = None if sequence.draws is None else sequence.draws[rows]
    return MaskedSequence(features=sequence.features[rows], lengths=sequence.lengths[rows], draws=draws)


def _draws(batch: Batch) -> list[Tensor | None]:
    return [None] * len(batch) if batch.draws is None else list(batch.draws)


def _parts(places: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))


def canonical_passes(
    model: EmotionModel, frontends: Frontends, shapes: ShapesSpec, *, device: torch.device
) -> CanonicalPasses:
    """The passes of a spec's model."""
    audio = frontends.audio
    edges = None if audio is None else FrontendEdges(audio.num_frames, sampling_rate=audio.sampling_rate)
    return CanonicalPasses(model, audio_edges=edges, rows=pass_rows(shapes, device))
