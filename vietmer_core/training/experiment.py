"""`Experiment`: a spec with everything it names opened and built, ready to be trained."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from vietmer_core.assembly import build_frontends, build_loss, build_model, build_sampler, part_seed
from vietmer_core.augment.pipeline import WaveformAugmentation
from vietmer_core.canonical import CanonicalPasses, canonical_passes
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality
from vietmer_core.data.batches import EpochBatches
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.loader import evaluation_batches, make_loader
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.splits import open_split
from vietmer_core.errors import AssemblyError, DataError, TooLongError
from vietmer_core.features.filling import open_feature_cache
from vietmer_core.features.states import SplitStates
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.protocols import Loss, Sampler
from vietmer_core.records import CacheRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.augmenting import longest_sizes, refuse_kept_audio, training_augmentation
from vietmer_core.training.devices import with_threads
from vietmer_core.training.half_precision import check_convolutions
from vietmer_core.training.initial import initial_state, put_initial
from vietmer_core.training.processes import Processes
from vietmer_core.training.sharding import check_equal_passes
from vietmer_core.training.weights import pinned

EVALUATION_BATCH_SIZE = 16


@attrs.frozen(kw_only=True, eq=False)
class Experiment:
    """Everything that the loop needs.

    Attributes:
        spec: Resolved, with its number of threads and the commits of its pretrained checkpoints.
        catalogue: Where its components come from.
        device: Where the model is.
        frontends: From utterances to sequences.
        model: With initial weights.
        loss: One number an utterance.
        train: The training split.
        valid: The validation split.
        batches: The order of the training split.
        passes: The canonical passes of the model.
        states: Kept states of frozen encoders, by split.
        augmentation: What changes the waveforms of the training split, or None.
        initial: What parts of the model began with (`initial_state`).
    """

    spec: ExperimentSpec
    catalogue: Catalogue
    device: torch.device
    frontends: Frontends
    model: EmotionModel
    loss: Loss
    train: Manifest
    valid: Manifest
    batches: EpochBatches
    passes: CanonicalPasses
    states: Mapping[str, Mapping[Modality, SplitStates]]
    augmentation: WaveformAugmentation | None
    initial: Mapping[str, Any]

    def train_loader(self) -> DataLoader[Any]:
        """The training split, in the order and from the position of `batches`."""
        states = self.states.get("train")
        dataset = split_dataset(self.train, self.frontends, self.spec, states=states, augmentation=self.augmentation)
        seed = part_seed(self.spec.seed, "loader")
        pin = self.device.type == "cuda"
        return make_loader(dataset, self.batches, loader=self.spec.loader, seed=seed, pin_memory=pin)

    def valid_loader(self, *, rank: int = 0, world_size: int = 1) -> DataLoader[Any]:
        """The validation split, every utterance once; of several processes each has its part."""
        shard = slice(rank, None, world_size)
        states = self.states.get("valid")
        return split_loader(self.valid, self.frontends, self.spec, device=self.device, states=states, shard=shard)


def split_dataset(
    manifest: Manifest,
    frontends: Frontends,
    spec: ExperimentSpec,
    *,
    states: Mapping[Modality, SplitStates] | None = None,
    augmentation: WaveformAugmentation | None = None,
) -> UtteranceDataset:
    """A labelled split as a dataset; `augmentation` is for the training split alone."""
    return UtteranceDataset(
        manifest,
        frontends=frontends,
        labels=spec.labels,
        channel=spec.data.channel,
        cache_mib=spec.loader.cache_mib,
        states=states,
        augmentation=augmentation,
    )


def split_loader(
    manifest: Manifest,
    frontends: Frontends,
    spec: ExperimentSpec,
    *,
    device: torch.device,
    states: Mapping[Modality, SplitStates] | None = None,
    shard: slice = slice(None),
) -> DataLoader[Any]:
    """A split for evaluation: every utterance of the batches in `shard` once."""
    batches = evaluation_batches(manifest.sizes, batch_size=EVALUATION_BATCH_SIZE)[shard]
    dataset = split_dataset(manifest, frontends, spec, states=states)
    seed = part_seed(spec.seed, "loader")
    return make_loader(dataset, batches, loader=spec.loader, seed=seed, pin_memory=device.type == "cuda")


def class_counts(manifest: Manifest, spec: ExperimentSpec) -> dict[str, int]:
    """Training utterances of each label, in the order of the label space.

    Raises:
        DataError: if a label has none.
    """
    numbers = np.bincount(manifest.sizes.labels, minlength=len(spec.labels)).tolist()
    counts = dict(zip(spec.labels, numbers, strict=True))
    absent = [label for label, count in counts.items() if not count]
    if absent:
        raise DataError(
            f"the training split must hold every label of the spec, but has no utterance of {', '.join(absent)}. "
            "Add some, or remove the label from `labels`."
        )
    return counts


def prepare(
    spec: ExperimentSpec,
    catalogue: Catalogue,
    *,
    processes: Processes | None = None,
    report: Callable[[CacheRecord], None] = lambda _: None,
    initial: Mapping[str, Any] | None = None,
) -> Experiment:
    """Open the training and validation splits and build the model; the test split is not touched.

    Where the spec has a `cache`, the states of its frozen encoders that are not there yet are computed here.

    Args:
        spec: What to train.
        catalogue: Where its components come from.
        processes: Those of the run; started here by default.
        report: Told how far the feature cache is filled.
        initial: What parts of the model begin with (`initial_state`); read from the runs of `initialise` where None.

    Raises:
        VietmerError: one sentence, or all faults of a manifest at once.
    """
    processes = processes or Processes.start(spec.training)
    _check_faults(spec)
    spec = with_batches_per_step(with_threads(spec), processes.world_size)
    device = processes.device
    frontends = build_frontends(spec, catalogue)
    augmentation = training_augmentation(spec, frontends)
    train, valid = open_split(spec, "train", catalogue), open_split(spec, "valid", catalogue)
    check_equal_passes(spec, {"train": train, "valid": valid})
    batches = _batches(spec, catalogue, train, processes)
    loss = build_loss(spec, catalogue, class_counts(train, spec))
    model = build_model(spec, catalogue).to(device)
    check_convolutions(model, precision=spec.training.precision, device=device)
    spec = pinned(spec, model)
    initial = initial_state(model, spec, catalogue) if initial is None else initial
    put_initial(model, initial)
    cast("nn.Module", loss).to(device)
    cache = open_feature_cache(spec, catalogue, model, frontends, device=device, report=report)
    refuse_kept_audio(spec, () if cache is None else cache.spaces)
    splits = {"train": train, "valid": valid}
    return Experiment(
        spec=spec,
        catalogue=catalogue,
        device=device,
        frontends=frontends,
        model=model,
        loss=loss,
        train=train,
        valid=valid,
        batches=batches,
        passes=canonical_passes(model, frontends, spec.shapes, device=device),
        states={} if cache is None else {name: cache.states_of(split, name) for name, split in splits.items()},
        augmentation=augmentation,
        initial=initial,
    )


def _check_faults(spec: ExperimentSpec) -> None:
    """Refuse to leave utterances out of what is kept of all.

    Raises:
        AssemblyError: if the spec asks for both.
    """
    if spec.cache is not None and spec.data.faults == "skip":
        raise AssemblyError(
            "`cache` and `data.faults: skip` contradict each other: the states of every utterance are kept before any "
            "is trained on. Leave one out, or leave the rows that `vietmer data check` names out of the manifest."
        )


def with_batches_per_step(spec: ExperimentSpec, world_size: int) -> ExperimentSpec:
    """The spec with the batches of a step resolved: one for each process where it gives no number.

    Raises:
        AssemblyError: if a process would have nothing to do.
    """
    given = spec.training.batches_per_step
    if given is not None and given < world_size:
        raise AssemblyError(
            f"`training.batches_per_step` must be at least the number of processes, {world_size}, but is {given} "
            "instead: a process would have nothing to do. Start fewer processes, or raise it."
        )
    resolved = {"batches_per_step": given or world_size}
    return spec.model_copy(update={"training": spec.training.model_copy(update=resolved)})


def _batches(spec: ExperimentSpec, catalogue: Catalogue, train: Manifest, processes: Processes) -> EpochBatches:
    return EpochBatches(
        _sampler(spec, catalogue, train),
        rank=processes.rank,
        world_size=processes.world_size,
        per_step=spec.training.batches_per_step,
        micro_batch=spec.training.micro_batch,
    )


def _sampler(spec: ExperimentSpec, catalogue: Catalogue, train: Manifest) -> Sampler:
    """The sampler of the training split.

    Raises:
        AssemblyError: if its budget is smaller than an utterance, which is named.
    """
    try:
        return build_sampler(spec, catalogue, longest_sizes(train.sizes, spec))
    except TooLongError as error:
        utterance, stretch = train[error.index], spec.augment.longest_stretch
        slower = f" `augment.waveform` makes it up to {stretch:.3g} times longer." if stretch > 1 else ""
        raise AssemblyError(f"{utterance.place}: `{utterance.utterance_id}`: {error}{slower}") from None
