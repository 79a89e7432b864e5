"""Running a failed step again, to find the first part whose output is not finite."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from vietmer_core.assembly import build_loss, build_model
from vietmer_core.batch import Batch
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.errors import RunError
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.sequence import MaskedSequence
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.failures import batch_from_state
from vietmer_core.training.randomness import restore_random_states
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.steps import targets
from vietmer_core.training.weights import load_model_state


@attrs.frozen(kw_only=True)
class Replay:
    """What a failed step gives when it is run again.

    Attributes:
        path: Of the saved step.
        step: Its number, from 1.
        epoch: From 0.
        what: What was not finite, `loss` or `gradient`.
        bad_weights: Names of parameters that hold numbers that are not finite.
        first_module: The first module, in the order of computation, that gives such numbers from finite ones.
        bad_gradients: Names of parameters whose gradient is not finite.
        losses: Id and loss of each utterance of the step.
    """

    path: Path
    step: int
    epoch: int
    what: str
    bad_weights: tuple[str, ...]
    first_module: str
    bad_gradients: tuple[str, ...]
    losses: tuple[tuple[str, float], ...]

    @property
    def is_finite(self) -> bool:
        """Whether the step did not fail again."""
        values = (loss for _, loss in self.losses)
        return not self.bad_weights and not self.bad_gradients and all(map(math.isfinite, values))


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, MaskedSequence):
        yield value.zeroed().features
    elif isinstance(value, Batch):
        yield from _tensors([value.text, value.audio])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _is_finite(value: object) -> bool:
    return all(bool(torch.isfinite(part).all()) for part in _tensors(value) if part.is_floating_point())


@contextmanager
def _watching(model: nn.Module, found: list[str]) -> Iterator[None]:
    """Inside, `found` gets the names of modules that give numbers that are not finite from finite ones."""

    def watch(name: str) -> Any:
        def after(module: nn.Module, given: object, named: object, output: object) -> None:
            del module
            if not _is_finite(output) and _is_finite([given, named]):
                found.append(name)

        return after

    handles = [
        part.register_forward_hook(watch(name or "model"), with_kwargs=True) for name, part in model.named_modules()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def latest_failure(folder: RunFolder) -> Path:
    """The failure saved last.

    Raises:
        RunError: if the run has none.
    """
    paths = sorted((folder.path / "failures").glob("step-*.pt"))
    if not paths:
        raise RunError(f"{folder.path}: no step of the run has failed, so there is none to run again.")
    return paths[-1]


def replay(path: Path, *, catalogue: Catalogue | None = None) -> Replay:
    """Run the step that failed last in a run again, on the CPU in fp32, from its saved weights and batches.

    Raises:
        RunError: if the run has no saved failure, or it is damaged.
    """
    folder, catalogue = RunFolder.open(path), catalogue or installed_catalogue()
    saved = latest_failure(folder)
    state, spec = load_checkpoint(saved), read_spec(folder, catalogue)
    model = build_model(spec, catalogue)
    load_model_state(model, state, path=saved)
    loss = build_loss(spec, catalogue, state["class_counts"])
    model.train()
    for _, backbone in backbones(model):
        backbone.begin_epoch(int(state["epoch"]))
    found: list[str] = []
    losses: list[Tensor] = []
    with _watching(model, found):
        for part in state["parts"]:  # of each process
            restore_random_states(part["random"], torch.device("cpu"))
            for batch in map(batch_from_state, part["batches"]):
                values = loss(model(batch), targets(batch))  # (batch,)
                values.sum().backward()  # type: ignore[no-untyped-call]  # torch does not type it
                losses.append(values.detach())
    return Replay(
        path=saved,
        step=int(state["step"]),
        epoch=int(state["epoch"]),
        what=str(state["what"]),
        bad_weights=tuple(name for name, value in model.named_parameters() if not _is_finite(value.detach())),
        first_module=found[0] if found else "",
        bad_gradients=tuple(
            name for name, value in model.named_parameters() if value.grad is not None and not _is_finite(value.grad)
        ),
        losses=tuple(zip(state["utterance_ids"], torch.cat(losses).tolist(), strict=True)),
    )
