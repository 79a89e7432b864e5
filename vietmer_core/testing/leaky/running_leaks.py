"""Leaks that show only in the way a module is run, with the checks that must catch them and their cures."""

from typing import Final

from vietmer_core.testing.leaky import parts, running
from vietmer_core.testing.leaky.leak import Leak

RUNNING: Final[tuple[Leak, ...]] = (
    Leak(
        name="squares summed in half precision",
        component=parts.over_time(running.SquaresInHalfPrecision),
        caught_by=("autocast_finite",),
        cure="compute statistics in float32",
    ),
    Leak(
        name="a mask of -1e9",
        component=parts.over_time(running.LargeNegativeNumber),
        caught_by=("autocast_finite",),
        cure="fill with `-inf` or `torch.finfo(scores.dtype).min`",
    ),
    Leak(
        name="a shortcut in compiled code",
        component=parts.over_time(running.ShortcutWhenCompiled),
        caught_by=("compiled_equals_eager",),
        cure="let `torch.compiler.is_compiling` leave out checks alone",
    ),
    Leak(
        name="a module that the compiler may not enter",
        component=parts.pooler(running.NeverCompiled),
        caught_by=("compiled_equals_eager",),
        cure="disable single functions, not `forward`",
    ),
    Leak(
        name="dropout of a tensor that begins with time",
        component=parts.over_time(running.DropoutTimeFirst),
        caught_by=("training_draws_per_utterance",),
        cure="keep the batch the first axis",
    ),
    Leak(
        name="a frozen network put into training mode",
        component=parts.audio_encoder(running.AwakenedBackbone),
        caught_by=("frozen_stays_frozen",),
        cure="let `PretrainedBackbone` set the mode of its network",
    ),
)
