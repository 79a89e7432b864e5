"""Leaks of habits, rows, frontends and parameters, with the checks that must catch them and their cures."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, field_validator
from torch import nn

from vietmer_core.testing.leaky import habits, parts, rows
from vietmer_core.testing.leaky.leak import Leak


class ChangeableParams(BaseModel):
    """Neither frozen nor strict about unknown fields."""

    kind: Literal["leaky"] = "leaky"


class PercentParams(BaseModel):
    """Divides a percentage by 100 again whenever it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["leaky"] = "leaky"
    share: float = 50.0

    @field_validator("share")
    @classmethod
    def _as_share(cls, percent: float) -> float:
        return percent / 100


HABITS: Final[tuple[Leak, ...]] = (
    Leak(
        name="dropout left on in evaluation",
        component=parts.over_time(habits.DropoutLeftOn),
        caught_by=("eval_deterministic", "padding_content"),
        cure="use `nn.Dropout`, or pass `training=self.training`",
    ),
    Leak(
        name="a global seed set in the forward pass",
        component=parts.over_time(habits.GlobalSeed),
        caught_by=("no_global_seeding",),
        cure="draw from a `torch.Generator` of your own",
    ),
    Leak(
        name="weights past the seed",
        component=parts.over_time(habits.OwnEntropy),
        caught_by=("same_seed",),
        cure="draw weights from torch's global generator in `__init__`",
    ),
    Leak(
        name="weights that no checkpoint holds",
        component=parts.over_time(habits.UnregisteredWeights),
        caught_by=("state_dict",),
        cure="make them `nn.Parameter` or a buffer",
    ),
    Leak(
        name="a write into the input",
        component=parts.over_time(habits.WritesIntoItsInput),
        caught_by=("inputs_untouched",),
        cure="use `masked_fill`, not `masked_fill_`",
    ),
    Leak(
        name="training mode for ever",
        component=parts.over_time(habits.AlwaysTraining),
        caught_by=("modes",),
        cure="let `train(False)` reach the module",
    ),
    Leak(
        name="a running mean of the batches",
        component=parts.over_time(habits.RunningMean),
        caught_by=("state_unchanged",),
        cure="keep no statistics in a forward pass",
    ),
    Leak(
        name="a cast to float32",
        component=parts.over_time(habits.SinglePrecision),
        caught_by=("output_dtype",),
        cure="keep the dtype of the input",
    ),
    Leak(
        name="twice the declared width",
        component=parts.over_time(habits.UndeclaredWidth),
        caught_by=("output_shape",),
        cure="declare what `forward` gives",
    ),
)

ROWS: Final[tuple[Leak, ...]] = (
    Leak(
        name="batch norm in the head",
        component=parts.head(rows.BatchNormHead),
        caught_by=("training_alone_equals_batch", "parameter_gradients", "state_unchanged"),
        cure="use a layer norm",
    ),
    Leak(
        name="embeddings centred over the batch",
        component=parts.head(rows.CentredHead),
        caught_by=("equal_lengths", "alone_equals_batch"),
        cure="subtract a learned mean",
    ),
    Leak(
        name="the position in the batch",
        component=parts.head(rows.RowNumberHead),
        caught_by=("batch_order", "alone_equals_batch"),
        cure="let no row know its number",
    ),
    Leak(
        name="a loss divided by the weights of the batch",
        component=parts.loss(rows.WeightSumLoss),
        caught_by=("alone_equals_batch", "input_gradients"),
        cure="scale the weights over the training split",
    ),
    Leak(
        name="a loss averaged over the batch",
        component=parts.loss(rows.AveragedLoss),
        caught_by=("output_shape",),
        cure="give one number an utterance",
    ),
    Leak(
        name="a loss of classes alone",
        component=parts.loss(rows.ClassesOnlyLoss),
        caught_by=("soft_labels",),
        cure="take soft labels too: the sum over the classes of probability times loss",
    ),
    Leak(
        name="soft labels shared out over the batch",
        component=parts.loss(rows.SharedRatersLoss),
        caught_by=("soft_labels",),
        cure="take each row as it is",
    ),
)

OUTSIDE: Final[tuple[Leak, ...]] = (
    Leak(
        name="a vocabulary that grows as it reads",
        component=parts.text_frontend(rows.GrowingVocabulary),
        caught_by=("frontend_deterministic",),
        cure="fix the vocabulary",
    ),
    Leak(
        name="tokens around an empty transcript",
        component=parts.text_frontend(rows.StartAndEnd),
        caught_by=("frontend_empty",),
        cure="give no token for an empty transcript",
    ),
    Leak(
        name="a frontend that cannot be sent to a worker",
        component=parts.text_frontend(rows.Unpicklable),
        caught_by=("frontend_pickle",),
        cure="keep no lambda and no open file",
    ),
    Leak(
        name="silence divided by its deviation",
        component=parts.audio_frontend(rows.SilenceIsNaN),
        caught_by=("frontend_output",),
        cure="add a small number to the deviation",
    ),
    Leak(
        name="a frame too many",
        component=parts.audio_frontend(rows.OneFrameTooMany),
        caught_by=("frontend_num_frames",),
        cure="share one function between `num_frames` and the frontend",
    ),
    Leak(
        name="an audio frontend that does not count frames",
        component=parts.audio_frontend(parts.CharacterFrontend),
        caught_by=("frontend_protocol",),
        cure="fulfil `AudioFrontend`",
    ),
    Leak(
        name="parameters that change and misspellings that pass",
        component=parts.over_time(lambda _dim: nn.Identity(), params=ChangeableParams),
        caught_by=("params_frozen", "params_extra"),
        cure='set `ConfigDict(frozen=True, extra="forbid")`',
    ),
    Leak(
        name="parameters that change when they are read again",
        component=parts.over_time(lambda _dim: nn.Identity(), params=PercentParams),
        caught_by=("params_json",),
        cure="let validation of a valid value change nothing",
    ),
    Leak(
        name="a plugin module that imports torch",
        component=parts.over_time(lambda _dim: nn.Identity()),
        caught_by=("torch_free",),
        cure="import torch inside `build`",
    ),
)
