"""Evaluating a trained run under changes of what it reads and hears."""

from collections.abc import Callable, Sequence
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.canonical import CanonicalPasses
from vietmer_core.components import BOTH_MODALITIES, Modality
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.draw import Draw
from vietmer_core.data.loader import evaluation_batches, iterate, make_loader
from vietmer_core.evaluation.outcomes import Outcomes, numbered_clusters, speaker_codes
from vietmer_core.evaluation.predictions import predict_split, require_finite
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.reliance.attention import Reading, attended_modules, attention_of
from vietmer_core.reliance.changes import Changed, Removed, Split, unchanged
from vietmer_core.reliance.conditions import Condition
from vietmer_core.reliance.scoring import Comparison, compare
from vietmer_core.reliance.shares import Shares
from vietmer_core.training.experiment import EVALUATION_BATCH_SIZE

NOTHING: Final = Removed(modalities=BOTH_MODALITIES)


@final
class ChangedRuns:
    """A trained run over a split, as often as it is changed; every pass takes the same utterances in the same batches.

    Args:
        run: A trained model.
        split: As it is.
        batch_size: Utterances of a batch; changes no result, but in the last bits where the run predicts padded.
        on_batch: Told the number of utterances of each batch done.
    """

    def __init__(
        self,
        run: TrainedRun,
        split: Split,
        *,
        batch_size: int = EVALUATION_BATCH_SIZE,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._run = run
        self._split = split
        self._batches = evaluation_batches(split.manifest.sizes, batch_size=batch_size)
        self._on_batch = on_batch
        self._passes: CanonicalPasses | None = run.passes()
        self._known: dict[Modality, NDArray[np.float64]] = {}
        first, self._truth = self._predicted(unchanged(split), draw=0)
        self.before: Final = self._outcomes(first)

    @property
    def split(self) -> Split:
        """The split as it is."""
        return self._split

    def compare(self, condition: Condition, *, draws: int) -> tuple[Comparison | None, list[Changed]]:
        """A condition beside the unchanged split, and what was changed in each draw; None where it concerns nobody."""
        made = [condition.change(self._split, draw=draw) for draw in range(draws if condition.is_drawn else 1)]
        if not all(changed.compared.any() for changed in made):
            return None, made
        found = [self._predicted(changed, draw=draw)[0] for draw, changed in enumerate(made)]
        if isinstance(condition.change, Removed):
            self._known[condition.modality] = found[0]
        after = [self._outcomes(probabilities) for probabilities in found]
        compared = [changed.compared for changed in made]
        return compare(self.before, after, compared=compared, seed=self._split.seed % 2**32), made

    def shares(self) -> Shares:
        """Every utterance with both modalities, with each alone and with nothing."""
        reads = self._run.modalities
        has = {modality: self._split.has(modality) & (modality in reads) for modality in Modality}
        alone = {}
        for modality in Modality:
            (other,) = BOTH_MODALITIES - {modality}
            alone[modality] = self._without(other) if reads == BOTH_MODALITIES else self.before.probabilities
        whole = self._split.manifest
        nothing, _ = self._predicted(NOTHING(self._split, draw=0), draw=0, batches=[[0]] if len(whole) else [])
        return Shares.of(self.before.probabilities, alone=alone, nothing=nothing[0], has=has)

    def attention(self) -> list[Reading]:
        """Where the attention of the fusion and the poolers lies, utterance by utterance; empty where none is exposed.

        Read in padded passes, whatever the spec says of shapes.
        """
        if not attended_modules(self._run.model):
            return []
        loader = self._loader(unchanged(self._split), batches=self._batches)
        found = attention_of(self._run.model, iterate(loader), device=self._run.device, on_batch=self._on_batch)
        return [found[position] for position in range(len(self._split.manifest))]

    def _without(self, modality: Modality) -> NDArray[np.float64]:
        if modality not in self._known:
            changed = Removed(modalities=frozenset({modality}))(self._split, draw=0)
            self._known[modality], _ = self._predicted(changed, draw=0)
        return self._known[modality]

    def _outcomes(self, probabilities: NDArray[np.float64]) -> Outcomes:
        speakers = self._split.manifest.speakers
        codes = speaker_codes(speakers.codes, speakers.names)
        return Outcomes(
            labels=self._run.spec.labels,
            probabilities=probabilities,
            truth=self._truth,
            clusters=numbered_clusters(codes),
            num_unknown_speakers=int((codes < 0).sum()),
        )

    def _predicted(
        self, changed: Changed, *, draw: int, batches: Sequence[list[int]] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Probabilities `(utterances, classes)` and true classes `(utterances,)` of a changed split."""
        loader = self._loader(changed, batches=self._batches if batches is None else batches, draw=draw)
        found = predict_split(
            self._run.model,
            loader,
            num_classes=len(self._run.spec.labels),
            device=self._run.device,
            passes=self._passes,
            on_batch=self._on_batch,
        )
        manifest = self._split.manifest
        require_finite(found, place=str(self._run.folder.path), name_of=lambda row: manifest[row].utterance_id)
        return self._run.calibrated(found.probabilities), found.truth

    def _loader(self, changed: Changed, *, batches: Sequence[list[int]], draw: int = 0) -> Any:
        spec = self._run.spec
        dataset = UtteranceDataset(
            changed.utterances,
            frontends=self._run.frontends,
            labels=spec.labels,
            channel=spec.data.channel,
            states=changed.states,
            allows_nothing=True,
            augmentation=changed.augmentation,
        )
        drawn = [[Draw(index, draw) for index in batch] for batch in batches]
        pin = self._run.device.type == "cuda"
        return make_loader(dataset, drawn, loader=spec.loader, seed=0, pin_memory=pin)
