"""`Processes`: the processes that train one run together, and what they must agree on. Over Accelerate."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Self, TypeVar, final

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import DistributedDataParallelKwargs, GradientAccumulationPlugin, InitProcessGroupKwargs
from torch import distributed

from vietmer_core.errors import AssemblyError, ElsewhereError, OtherProcessError, RunError, VietmerError
from vietmer_core.spec import TrainingSpec
from vietmer_core.training.determinism import WORKSPACE
from vietmer_core.training.devices import check_precision, choose_device
from vietmer_core.training.sharding import fsdp_plugin, use_fsdp

Given = TypeVar("Given")
PATIENCE: Final = timedelta(hours=2)
"""How long a process waits for the others, such as for one that fills the feature cache."""
LOST: Final = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""Words of what torch raises when another process is gone."""
PRECISIONS: Final = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
LAUNCHED: Final = {
    "ACCELERATE_MIXED_PRECISION": ("mixed precision", "training.precision"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("gradient accumulation", "training.batches_per_step"),
    "ACCELERATE_USE_FSDP": ("FSDP", "training.sharding"),
    "ACCELERATE_USE_DEEPSPEED": ("DeepSpeed", ""),
    "ACCELERATE_DYNAMO_BACKEND": ("torch.compile", ""),
}
"""What `accelerate launch` may ask for and the spec decides."""


def _check_launcher(training: TrainingSpec) -> None:
    """Refuse what the launcher asks for and the spec does not: it would be left out silently.

    Raises:
        AssemblyError: naming the setting and the field.
    """
    agreed = {"ACCELERATE_MIXED_PRECISION": PRECISIONS[training.precision]}
    if training.sharding == "fsdp":
        agreed["ACCELERATE_USE_FSDP"] = "true"
    for name, (what, field) in LAUNCHED.items():
        wanted = os.environ.get(name, "").lower()
        if wanted in ("", "no", "false", "1", agreed.get(name)):
            continue
        remedy = f"Set `{field}` in the spec" if field else "Leave it out of the launcher's configuration"
        raise AssemblyError(f"`accelerate launch` asks for {what} (`{name}={wanted}`), but the spec decides. {remedy}.")


@final
class Processes:
    """The processes of a run: one, or those that `torchrun` or `accelerate launch` has started.

    Args:
        accelerator: Of this process.

    Attributes:
        accelerator: Wraps the model, runs the backward pass, clips, steps and scales.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self._agreed: BaseException | None = None

    @classmethod
    def start(cls, training: TrainingSpec) -> Self:
        """Join the other processes, if there are any.

        Raises:
            RunError: if a GPU is asked for and there is none.
            AssemblyError: if the device has not the precision, or the launcher contradicts the spec.
        """
        device = choose_device(training.device)
        check_precision(training.precision, device)
        _check_launcher(training)
        if training.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)  # before anything computes on a GPU
        os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))  # else Accelerate warns and sets others
        joined = distributed.is_available() and distributed.is_initialized()
        AcceleratorState._reset_state(reset_partial_state=not joined)  # noqa: SLF001  # its settings outlive a run
        GradientState._reset_state()  # noqa: SLF001  # as above
        plugin = fsdp_plugin(training)
        accelerator = Accelerator(
            cpu=device.type == "cpu",
            mixed_precision=PRECISIONS[training.precision],
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            fsdp_plugin=plugin,
            step_scheduler_with_optimizer=False,
            kwargs_handlers=[
                DistributedDataParallelKwargs(find_unused_parameters=True),
                InitProcessGroupKwargs(timeout=PATIENCE),
            ],
        )
        if plugin is not None:
            os.environ.pop("ACCELERATE_USE_FSDP", None)  # set by Accelerate for good, and meant for this run alone
        use_fsdp(accelerator, plugin)
        return cls(accelerator)

    @classmethod
    @contextmanager
    def joined(cls, training: TrainingSpec) -> Iterator[Self]:
        """The processes of a run, met at the begin and left at the end.

        Raises:
            RunError: if another process has ended without a word; else as `start`.
        """
        processes = cls.start(training)
        try:
            with processes.lost_told():
                yield processes
        finally:
            processes.close()

    @property
    def rank(self) -> int:
        """This process, from 0."""
        return int(self.accelerator.process_index)

    @property
    def world_size(self) -> int:
        """How many there are."""
        return int(self.accelerator.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run folder."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        device = torch.device(self.accelerator.device)
        return torch.device("cpu") if device.type == "cpu" else device  # Accelerate numbers CPUs too

    def total(self, *numbers: float) -> tuple[float, ...]:
        """Each number summed over the processes, in float64."""
        if self.world_size == 1:
            return numbers
        summed: Any = self.accelerator.reduce(
            torch.tensor(numbers, dtype=torch.float64, device=self.device), reduction="sum"
        )
        return tuple(summed.tolist())

    def gathered(self, value: Given) -> list[Given]:
        """The value of each process, in their order."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        distributed.all_gather_object(values, value)
        return values

    def from_main(self, value: Given) -> Given:
        """What the main process has, in every process."""
        values = [value]
        if self.world_size > 1:
            distributed.broadcast_object_list(values, src=0)
        return values[0]

    def together(self, act: Callable[[], Given]) -> Given:
        """Run something in every process; a user's mistake in one of them ends it in all.

        Raises:
            VietmerError: the sentence, in the main process; elsewhere an `ElsewhereError`, which says nothing again.
        """
        try:
            result, error = act(), None
        except VietmerError as caught:
            if self.world_size == 1:
                raise
            result, error = None, caught
        errors = self.gathered(None if error is None else (type(error).__name__, str(error), error.exit_code))
        self.raise_first(errors, own=error)
        return result  # type: ignore[return-value]  # there was no error, so there is a result

    def raise_first(self, errors: list[tuple[str, str, int] | None], *, own: VietmerError | None) -> None:
        """Raise what any process has met: in the main process its own, or that of the first that met anything."""
        first = next((rank for rank, error in enumerate(errors) if error is not None), None)
        if first is None:
            return
        found = errors[first]
        assert found is not None
        told: VietmerError = ElsewhereError(found[1], exit_code=found[2])
        if self.is_main:
            told = OtherProcessError(first, found[1], exit_code=found[2]) if own is None else own
        self._agreed = told
        raise told

    def has_agreed_on(self, error: BaseException) -> bool:
        """Whether every process has met the error, so that all can save together."""
        return self.world_size == 1 or error is self._agreed

    @contextmanager
    def lost_told(self) -> Iterator[None]:
        """Inside, another process that has ended without a word is a sentence.

        Raises:
            RunError: if the others cannot be reached any more.
        """
        try:
            yield
        except RuntimeError as error:
            if self.world_size == 1 or not any(word in str(error) for word in LOST):
                raise
            raise RunError(
                "another process of the run has ended; what it said, or the system's log, tells why (often a want of "
                "memory). The last checkpoint is whole: continue with `vietmer train --resume`."
            ) from error

    def close(self) -> None:
        """Leave the other processes."""
        if self.world_size > 1 and distributed.is_initialized():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns of what a process that is gone cannot answer
                distributed.destroy_process_group()
