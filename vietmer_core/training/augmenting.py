"""Augmentation as an experiment uses it: of its training split alone."""

from collections.abc import Collection

import attrs
import numpy as np

from vietmer_core.assembly import part_seed
from vietmer_core.augment.factory import waveform_augmentation
from vietmer_core.augment.pipeline import DrawnOperation, WaveformAugmentation
from vietmer_core.augment.speed import Speed
from vietmer_core.components import Modality
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError
from vietmer_core.frontends import Frontends
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_augmentation import SpeedSpec


def training_augmentation(spec: ExperimentSpec, frontends: Frontends) -> WaveformAugmentation | None:
    """What changes the waveforms of the training split; None where nothing does, or the model hears nothing.

    Raises:
        AssemblyError: if an operation does not go with the rate of the audio frontend, or a folder of noise cannot be
            used.
    """
    if frontends.audio is None:
        return None
    seed = part_seed(spec.seed, "augment")
    return waveform_augmentation(spec.augment, sampling_rate=frontends.audio.sampling_rate, seed=seed)


def refuse_kept_audio(spec: ExperimentSpec, kept: Collection[Modality]) -> None:
    """Refuse to change waveforms whose states are kept.

    Args:
        spec: To be trained.
        kept: Modalities whose states the feature cache holds.

    Raises:
        AssemblyError: if the waveforms of a frozen audio encoder would be changed.
    """
    if Modality.AUDIO in kept and spec.augment.waveform:
        raise AssemblyError(
            f"`cache` and `augment.waveform` contradict each other: the states of `audio: {spec.kind('audio')}` would "
            "differ from epoch to epoch. Take `augment.waveform` out, or leave `cache` out."
        )


def longest_sizes(sizes: UtteranceSizes, spec: ExperimentSpec) -> UtteranceSizes:
    """The sizes of the training split when every utterance is as long as `speed` can make it.

    A sampler is told these, so that a batch of any epoch keeps within its budget.
    """
    stretch = spec.augment.longest_stretch
    if stretch == 1:
        return sizes
    return attrs.evolve(sizes, audio_seconds=sizes.audio_seconds * np.float32(stretch))


def slowest_augmentation(spec: ExperimentSpec) -> WaveformAugmentation | None:
    """Makes every utterance as long as `speed` can make it, for what must hold of the longest; None where none does."""
    slow = [op for op in spec.augment.waveform if isinstance(op, SpeedSpec) and op.probability and op.factor[0] < 1]
    operations = [
        DrawnOperation(name=f"speed.{place}", probability=1.0, operation=Speed(factor=(op.factor[0], op.factor[0])))
        for place, op in enumerate(slow)
    ]
    return WaveformAugmentation(operations=tuple(operations), seed=0) if operations else None
