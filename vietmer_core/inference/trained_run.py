"""`TrainedRun`: a run's best model with its frontends, from the run folder alone."""

from pathlib import Path
from typing import Self

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from vietmer_core.assembly import build_frontends, build_model
from vietmer_core.canonical import CanonicalPasses, canonical_passes
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Modality
from vietmer_core.evaluation.calibration import Calibration, read_calibration
from vietmer_core.evaluation.temperature import with_temperature
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.spec import ExperimentSpec, reads
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.devices import choose_device, with_threads
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.weights import load_model_state


@attrs.frozen(kw_only=True, eq=False)
class TrainedRun:
    """A trained model, ready to predict.

    Attributes:
        folder: Its run folder.
        spec: Its resolved spec.
        catalogue: Where its components come from.
        device: Where the model is.
        frontends: From utterances to sequences.
        model: In eval mode, with the weights of the best epoch.
        epoch: That epoch, from 0.
        calibration: What its probabilities are calibrated by; None where they are its own.
    """

    folder: RunFolder
    spec: ExperimentSpec
    catalogue: Catalogue
    device: torch.device
    frontends: Frontends
    model: EmotionModel
    epoch: int
    calibration: Calibration | None = None

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: str | None = None,
        catalogue: Catalogue | None = None,
        uncalibrated: bool = False,
    ) -> Self:
        """Load the best checkpoint of a run, and its calibration where `vietmer calibrate` wrote one.

        Args:
            path: The run folder.
            device: Where to compute; the run's own setting by default.
            catalogue: Where its components come from; all installed ones by default.
            uncalibrated: Whether the calibration is left aside.

        Raises:
            RunError: if the folder is no run, has no validated epoch yet, its weights do not fit its spec or the
                pretrained files, or its calibration is damaged or of other weights.
            CheckpointError: if a pretrained checkpoint that it began from is not there.
        """
        folder = RunFolder.open(path)
        catalogue = catalogue or installed_catalogue()
        spec = with_threads(read_spec(folder, catalogue))
        state = load_checkpoint(folder.best_checkpoint)
        calibration = None if uncalibrated else read_calibration(folder)
        model = build_model(spec, catalogue)
        load_model_state(model, state, path=folder.best_checkpoint)
        where = choose_device(device or spec.training.device)
        return cls(
            folder=folder,
            spec=spec,
            catalogue=catalogue,
            device=where,
            frontends=build_frontends(spec, catalogue),
            model=model.to(where).eval(),
            epoch=int(state["epoch"]),
            calibration=calibration,
        )

    def calibrated(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """The model's own probabilities `(utterances, classes)` after its temperature; as they are without one."""
        if self.calibration is None:
            return probabilities
        return with_temperature(probabilities, self.calibration.temperature)

    @property
    def threshold(self) -> float | None:
        """The calibrated confidence below which the model abstains; None without one."""
        return None if self.calibration is None else self.calibration.threshold

    def passes(self) -> CanonicalPasses | None:
        """The canonical passes of the model; None where the spec asks for padded ones."""
        if self.spec.shapes.prediction == "padded":
            return None
        return canonical_passes(self.model, self.frontends, self.spec.shapes, device=self.device)

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the model reads."""
        return reads(self.spec, self.catalogue)
