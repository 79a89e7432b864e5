"""Leaks of states that are kept and of canonical shapes, with the checks that must catch them and their cures."""

from typing import Final

from vietmer_core.testing.leaky import parts, shapes
from vietmer_core.testing.leaky.keeping import States
from vietmer_core.testing.leaky.leak import Leak

KEEPING: Final[tuple[Leak, ...]] = (
    Leak(
        name="a step between states and frames that `finish` leaves out",
        component=parts.audio_encoder(lambda: States(forgets=True)),
        caught_by=("cacheable_split",),
        cure="write `forward` as `finish(encode(x))`",
    ),
    Leak(
        name="dropout in states that are kept",
        component=parts.audio_encoder(lambda: States(drops=True)),
        caught_by=("cacheable_split",),
        cure="name what draws as an `obstacle`, or let the frozen part stay in evaluation mode",
    ),
    Leak(
        name="weights trained inside states that are kept",
        component=parts.audio_encoder(lambda: States(learns=True)),
        caught_by=("cacheable_split",),
        cure="give `TrainingPlan.obstacle` as the encoder's",
    ),
    Leak(
        name="a learned layer before the states",
        component=parts.audio_encoder(lambda: States(leaks=True)),
        caught_by=("cacheable_split",),
        cure="move what is learned into `finish`",
    ),
)

SHAPES: Final[tuple[Leak, ...]] = (
    Leak(
        name="the real frames of all rows in one matrix",
        component=parts.over_time(shapes.FlattenedFrames),
        caught_by=("canonical_bits",),
        cure="compute the padded frames too, or a fixed number of frames at a time",
    ),
    Leak(
        name="the sum of a row cut out of a running total",
        component=parts.pooler(shapes.RunningTotal),
        caught_by=("canonical_bits",),
        cure="sum each row by itself",
    ),
)
