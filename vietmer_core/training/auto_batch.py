"""`training.auto_batch`: how many utterances a forward pass may have in the memory there is.

The longest utterances of the largest batch, as long as augmentation can make them, are tried, 1, 2, 4, … of them, each
with a backward pass. The memory that twice as many would take is foreseen from what has been measured, so that a system
that kills rather than refuses is not provoked. Which batches make a step does not change: a batch is cut, and the
gradients of its parts are summed.
"""

import gc
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import torch
from torch import nn

from vietmer_core.assembly import part_seed
from vietmer_core.batch import Batch
from vietmer_core.data.dataset import Sample, collate
from vietmer_core.data.draw import Draw
from vietmer_core.data.loader import Fault, GuardedDataset, raise_fault
from vietmer_core.errors import RunError
from vietmer_core.files import in_mib
from vietmer_core.memory import Memory, is_memory_error, memory_told
from vietmer_core.pretrained.backbone import LAST, backbones
from vietmer_core.training.augmenting import slowest_augmentation
from vietmer_core.training.experiment import Experiment, split_dataset
from vietmer_core.training.forward import ForwardPass
from vietmer_core.training.half_precision import DTYPES
from vietmer_core.training.processes import Processes
from vietmer_core.training.steps import targets

SHARE: Final = 0.85
"""Of the memory that is free, how much a pass may take: what else a run holds, and what allocators waste, is left."""
STATES: Final = 12
"""Bytes beside the weights of a parameter that is trained: its gradient and two states of AdamW, in fp32."""


@attrs.frozen(kw_only=True)
class Found:
    """What was found.

    Attributes:
        rows: Utterances of a pass.
        most: Utterances of the largest batch.
        taken: By a pass of `rows` of the longest, bytes.
        free: What a pass may take, bytes.
    """

    rows: int
    most: int
    taken: int
    free: int


def with_micro_batch(experiment: Experiment, processes: Processes, *, say: Callable[[str], None]) -> Experiment:
    """The experiment with `training.micro_batch` found, where its spec asks for that and gives none.

    Args:
        experiment: What is to be trained.
        processes: All of the run; the one with the least memory decides.
        say: Takes a line about what was found.

    Raises:
        RunError: if not even one utterance fits.
    """
    training = experiment.spec.training
    if not training.auto_batch or training.micro_batch is not None:
        return experiment
    found = processes.together(lambda: find_micro_batch(experiment))
    rows = min(processes.gathered(found.rows))
    say(
        f"auto_batch: {rows} utterances a forward pass (the largest batch has {found.most}; the longest {found.rows} "
        f"take about {in_mib(found.taken)} of {in_mib(found.free)})"
    )
    experiment.batches.set_micro_batch(rows)
    changed = training.model_copy(update={"micro_batch": rows})
    return attrs.evolve(experiment, spec=experiment.spec.model_copy(update={"training": changed}))


def find_micro_batch(experiment: Experiment) -> Found:
    """How many of the longest utterances of the largest batch fit into a forward and a backward pass.

    Raises:
        RunError: if not even one fits.
    """
    longest = _samples(experiment, _longest_batch(experiment))
    parts = [backbone for _, backbone in backbones(experiment.model)]
    for backbone in parts:
        backbone.begin_epoch(LAST)  # as much as any epoch trains
    try:
        return _search(experiment, longest)
    finally:
        for backbone in parts:
            backbone.begin_epoch(0)


def _samples(experiment: Experiment, indices: Sequence[int]) -> list[Sample]:
    """The utterances prepared; one that cannot be used is left out where training does so, too."""
    dataset = GuardedDataset(
        split_dataset(
            experiment.train,
            experiment.frontends,
            experiment.spec,
            states=experiment.states.get("train"),
            augmentation=slowest_augmentation(experiment.spec),
        )
    )
    found = [dataset[Draw(index, epoch=0)] for index in indices]
    faults = [sample for sample in found if isinstance(sample, Fault)]
    if faults and experiment.spec.data.faults == "fail":
        raise_fault(faults[0])
    return [sample for sample in found if isinstance(sample, Sample)]


def _search(experiment: Experiment, longest: Sequence[Sample]) -> Found:
    if not longest:
        raise RunError("the largest batch has no utterance that can be used. Look at `vietmer data check`.")
    trained = sum(value.numel() for value in experiment.model.parameters() if value.requires_grad)
    states = _held(STATES * trained, device=experiment.device)  # what a run holds beside a pass
    memory = Memory(experiment.device)
    free = int(SHARE * memory.free_bytes())
    rows, taken, fitting = 1, 0, 0
    while True:
        batch = collate(longest[:rows])
        try:
            with memory.measured() as peak:
                _try(experiment, batch)
        except RuntimeError as error:
            if not is_memory_error(error):
                raise
            break
        except MemoryError:
            break
        finally:
            _clear(experiment.model)
        if peak.bytes > free:
            break
        fitting, taken = rows, max(1, peak.bytes)
        if rows == len(longest):
            break
        rows = min(2 * rows, len(longest))
        if taken * rows / fitting > free:
            break
    del states
    if not fitting:
        utterance = experiment.train[longest[0].index]
        raise RunError(
            f"the memory does not suffice for one utterance: {in_mib(max(0, free))} may be taken, and "
            f"`{utterance.utterance_id}` ({utterance.place}), the longest, takes more. Leave it out, cut it, choose a "
            "smaller model, or set `gradient_checkpointing: true` for the encoder."
        )
    return Found(rows=fitting, most=len(longest), taken=taken, free=free)


def _held(num_bytes: int, *, device: torch.device) -> torch.Tensor:
    """So much memory, touched, so that the system counts it.

    Raises:
        RunError: if there is not so much.
    """
    with memory_told("Choose a smaller model, or train less of it.", what="the states of the optimiser"):
        return torch.zeros(num_bytes, dtype=torch.uint8, device=device).fill_(1)


def _longest_batch(experiment: Experiment) -> list[int]:
    """The utterances of the largest batch of the first epoch, the longest first."""
    sizes = experiment.train.sizes
    per_pass = [[draw.index for draw in batch] for batch in experiment.batches]

    def padded(batch: list[int]) -> float:
        return len(batch) * (float(sizes.audio_seconds[batch].max()) + 0.02 * float(sizes.text_words[batch].max()))

    largest = max(per_pass, key=padded)
    return sorted(largest, key=lambda index: (-sizes.audio_seconds[index], -sizes.text_words[index]))


def _try(experiment: Experiment, batch: Batch) -> None:
    """A forward and a backward pass as training makes them; the random numbers of torch stay where they were."""
    spec, device = experiment.spec, experiment.device
    passes = experiment.passes if spec.shapes.training == "canonical" else None
    forward = ForwardPass(experiment.model, passes=passes).train()
    drawn = batch.drawn(seed=part_seed(spec.seed, "draws"), epoch=0).to(device)
    dtype = DTYPES.get(spec.training.precision)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.autocast(device.type, dtype=dtype, enabled=dtype is not None),
    ):
        logits = forward(drawn).float()  # (batch, classes)
    experiment.loss(logits, targets(drawn)).sum().backward()  # type: ignore[no-untyped-call]  # torch does not type it


def _clear(model: nn.Module) -> None:
    model.zero_grad(set_to_none=True)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
