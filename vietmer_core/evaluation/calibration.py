"""`calibration.json` of a run: its temperature and its threshold for abstaining, both from validation. Torch-free."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vietmer_core.errors import RunError
from vietmer_core.files import file_sha256
from vietmer_core.training.run_folder import RunFolder

CALIBRATION_FILE: Final = "calibration.json"
Share = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BeforeOrAfter(_Frozen):
    """Scores of the probabilities on the split that the temperature was fitted on."""

    nll: float
    ece: float
    brier: float


class AbstainRule(_Frozen):
    """When the model abstains.

    Attributes:
        threshold: The lowest confidence, after the temperature, with which it still answers.
        max_risk: The risk asked for, or None.
        coverage_wanted: The coverage asked for, or None.
        coverage: Share of the validation split that is kept.
        risk: Share of what is kept there that is wrong.
        num_kept: Utterances kept there.
    """

    threshold: Share
    max_risk: Share | None = None
    coverage_wanted: Share | None = None
    coverage: Share
    risk: Share
    num_kept: int = Field(ge=1)


class Calibration(_Frozen):
    """What `vietmer calibrate` found.

    Attributes:
        format: Of the file.
        temperature: What the logits are divided by.
        split: Where it was fitted.
        data: Fingerprint of that split.
        epoch: Epoch of the weights, from 0.
        weights: SHA-256 of the checkpoint.
        num_utterances: Utterances it was fitted on.
        before: Scores there without the temperature.
        after: Scores there with it.
        abstain: None where no threshold was asked for.
    """

    format: Literal[1] = 1
    temperature: float = Field(gt=0)
    split: Literal["valid"] = "valid"
    data: str
    epoch: int = Field(ge=0)
    weights: str
    num_utterances: int = Field(ge=1)
    before: BeforeOrAfter
    after: BeforeOrAfter
    abstain: AbstainRule | None = None

    @property
    def threshold(self) -> float | None:
        """The confidence below which the model abstains, if any."""
        return None if self.abstain is None else self.abstain.threshold


def write_calibration(folder: RunFolder, calibration: Calibration) -> Path:
    """Save it in a run's folder; the path.

    Raises:
        RunError: if it cannot be written.
    """
    folder.write_json(CALIBRATION_FILE, calibration.model_dump(mode="json"))
    return folder.path / CALIBRATION_FILE


def read_calibration(folder: RunFolder) -> Calibration | None:
    """The calibration of a run's best weights; None where it was never calibrated.

    Raises:
        RunError: if the file is damaged, or belongs to other weights, for example since the run was continued.
    """
    path = folder.path / CALIBRATION_FILE
    if not path.exists():
        return None
    remedy = f"Run `vietmer calibrate {folder.path}` again, or give `--uncalibrated`."
    try:
        calibration = Calibration.model_validate(folder.read_json(CALIBRATION_FILE))
    except RunError as error:
        raise RunError(f"{error} {remedy}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{path}: the calibration is damaged: `{field}`: {first['msg']}. {remedy}") from None
    if calibration.weights != weights_of(folder):
        raise RunError(
            f"{path}: the calibration is of other weights (epoch {calibration.epoch + 1}) than those of the best "
            f"checkpoint now, since the run went on or its checkpoint was replaced. {remedy}"
        )
    return calibration


def weights_of(folder: RunFolder) -> str:
    """SHA-256 of a run's best checkpoint.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        return file_sha256(folder.best_checkpoint)
    except OSError as error:
        raise RunError(f"{folder.best_checkpoint}: cannot be read: {error.strerror or error}.") from None
