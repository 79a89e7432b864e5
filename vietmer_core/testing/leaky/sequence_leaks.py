"""Leaks of components that work over time, each with the checks that must catch it and its cure."""

from typing import Final

from vietmer_core.testing.leaky import audio, habits, over_time, parts, pooling
from vietmer_core.testing.leaky.leak import Leak

_ALONE: Final = ("alone_equals_batch", "training_alone_equals_batch", "parameter_gradients")
_EVERY_ROW: Final = "compute it over the row's own frames"

OVER_TIME: Final[tuple[Leak, ...]] = (
    Leak(
        name="batch norm over time",
        component=parts.over_time(over_time.BatchNorm),
        caught_by=("training_alone_equals_batch", "padding_gradient", "parameter_gradients", "state_unchanged"),
        cure="use a layer norm of each frame",
    ),
    Leak(
        name="group norm over the padded time",
        component=parts.over_time(over_time.GroupNorm),
        caught_by=("padding_width", *_ALONE),
        cure=_EVERY_ROW,
    ),
    Leak(
        name="convolutions over padding zeroed once",
        component=parts.over_time(over_time.UnmaskedConvolutions),
        caught_by=("padding_width", *_ALONE, "input_gradients"),
        cure="zero the padding before every convolution",
    ),
    Leak(
        name="unpacked BiLSTM",
        component=parts.over_time(over_time.UnpackedBiLSTM),
        caught_by=("padding_width", *_ALONE, "input_gradients"),
        cure="flip each row over its own frames and run a forward LSTM",
    ),
    Leak(
        name="a gate that reads the padding",
        component=parts.over_time(over_time.GateOfThePaddedMean),
        caught_by=("padding_width", *_ALONE, "input_gradients"),
        cure="scale each frame by a sigmoid of itself, or of the mean over the row's own frames",
    ),
    Leak(
        name="attention without a key mask",
        component=parts.over_time(over_time.UnmaskedAttention),
        caught_by=("padding_width", *_ALONE, "input_gradients"),
        cure="mask the padded keys",
    ),
    Leak(
        name="nn.MultiheadAttention on an empty row",
        component=parts.over_time(over_time.TorchAttention),
        caught_by=("empty_row", "empty_row_gradients"),
        cure="use `MaskedAttention`, which gives zeros for a row without keys",
    ),
    Leak(
        name="positions counted from the end of the batch",
        component=parts.over_time(over_time.PositionsFromTheEnd),
        caught_by=("padding_width", "alone_equals_batch"),
        cure="anchor positions to the row",
    ),
    Leak(
        name="positions as fractions of the padded width",
        component=parts.over_time(over_time.PositionsByFraction),
        caught_by=("padding_width", *_ALONE),
        cure="divide by the row's own length",
    ),
    Leak(
        name="interpolation across the padded width",
        component=parts.over_time(over_time.InterpolatedAcrossThePadding),
        caught_by=("padding_width", *_ALONE),
        cure="interpolate each row over its own frames",
    ),
    Leak(
        name="spans drawn over the padded width in training",
        component=parts.over_time(over_time.WidthDependentSpans),
        caught_by=("training_alone_equals_batch", "input_gradients"),
        cure="draw spans over the row's own frames, from a generator of the utterance",
    ),
    Leak(
        name="a gradient through the padding",
        component=parts.over_time(habits.PadsBySumming),
        caught_by=("padding_gradient", "parameter_gradients"),
        cure="sum over `zeroed()` features",
    ),
)

AUDIO: Final[tuple[Leak, ...]] = (
    Leak(
        name="waveforms normalised after padding",
        component=parts.audio_encoder(audio.NormalisedAfterPadding),
        caught_by=("padding_width", *_ALONE),
        cure="normalise each waveform in the frontend",
    ),
    Leak(
        name="STFT of the padded batch",
        component=parts.audio_encoder(audio.TransformOfThePaddedBatch),
        caught_by=("padding_width", "alone_equals_batch", "input_gradients"),
        cure="transform each waveform in the frontend",
    ),
    Leak(
        name="wrong arithmetic of lengths",
        component=parts.audio_encoder(audio.HalvedRoundedDown),
        caught_by=("output_lengths",),
        cure="share one function between `output_lengths` and `forward`",
    ),
    Leak(
        name="lengths as fractions of the padded width",
        component=parts.audio_encoder(audio.LengthsByFraction),
        caught_by=("output_lengths", "alone_equals_batch"),
        cure="compute lengths from lengths",
    ),
)

POOLING: Final[tuple[Leak, ...]] = (
    Leak(
        name="plain mean",
        component=parts.pooler(pooling.PlainMean),
        caught_by=("padding_width", "alone_equals_batch", "input_gradients", "assembled_alone_equals_batch"),
        cure="divide by the number of real frames",
    ),
    Leak(
        name="max over the padding",
        component=parts.pooler(pooling.MaxOverPadding),
        caught_by=("padding_width", "alone_equals_batch"),
        cure="fill the padding with minus infinity first",
    ),
    Leak(
        name="min over the padding",
        component=parts.pooler(pooling.MinOverPadding),
        caught_by=("padding_width", "alone_equals_batch"),
        cure="fill the padding with infinity first",
    ),
    Leak(
        name="max of no frames",
        component=parts.pooler(pooling.MaxOfNothing),
        caught_by=("empty_row", "empty_embedding"),
        cure="fill the row of an absent modality with zeros afterwards",
    ),
    Leak(
        name="the first column of the batch",
        component=parts.pooler(pooling.FirstColumn),
        caught_by=("padding_content", "padding_gradient", "empty_embedding"),
        cure="zero the padding first: a row may have no frame",
    ),
    Leak(
        name="the first frame of left padding",
        component=parts.pooler(pooling.FirstOfLeftPadded),
        caught_by=("padding_width", "alone_equals_batch", "input_gradients", "assembled_alone_equals_batch"),
        cure="padding stands on the right: take the frame at 0",
    ),
    Leak(
        name="the last padded frame",
        component=parts.pooler(pooling.LastPaddedFrame),
        caught_by=("padding_content", "padding_width", "alone_equals_batch", "padding_gradient", "empty_embedding"),
        cure="gather the frame at the row's own length minus one",
    ),
    Leak(
        name="softmax over the padding",
        component=parts.pooler(pooling.SoftmaxOverPadding),
        caught_by=("padding_width", *_ALONE, "assembled_parameter_gradients"),
        cure="fill the scores of the padding with the lowest number first",
    ),
    Leak(
        name="attention pooling rebuilt at every forward pass",
        component=parts.pooler(pooling.RebuiltAttention),
        caught_by=("eval_deterministic", "same_seed", "state_dict", "batch_order"),
        cure="make the parameters in `__init__`",
    ),
    Leak(
        name="mean of no frames",
        component=parts.pooler(pooling.UnguardedMean),
        caught_by=("empty_row", "empty_embedding"),
        cure="clamp the number of frames to 1",
    ),
    Leak(
        name="square root of nothing",
        component=parts.pooler(pooling.StandardDeviation),
        caught_by=("empty_row_gradients",),
        cure="add a small number under the root, and mask the row",
    ),
    Leak(
        name="an embedding of nothing",
        component=parts.pooler(pooling.ProjectedMean),
        caught_by=("empty_embedding",),
        cure="fill the row of an absent modality with zeros after the projection",
    ),
    Leak(
        name="a width that is not declared",
        component=parts.pooler(pooling.WithoutWidth),
        caught_by=("protocol",),
        cure="set `output_dim`",
    ),
)
