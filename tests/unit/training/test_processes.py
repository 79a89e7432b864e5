"""What a run asks of Accelerate, and what it refuses."""

import os

import pytest
import torch

from vietmer_core.errors import AssemblyError, ElsewhereError, RunError
from vietmer_core.spec import TrainingSpec
from vietmer_core.training.processes import Processes

CPU = TrainingSpec(device="cpu")


def test_one_process_is_alone() -> None:
    processes = Processes.start(CPU)
    assert (processes.rank, processes.world_size, processes.is_main) == (0, 1, True)
    assert processes.device == torch.device("cpu")
    assert processes.total(2, 0.5) == (2, 0.5)
    assert processes.gathered("a") == ["a"]
    assert processes.from_main("a") == "a"
    assert processes.together(lambda: 3) == 3


def test_runs_of_one_process_may_have_other_precisions() -> None:
    for precision in ("fp32", "bf16", "fp32"):
        processes = Processes.start(CPU.model_copy(update={"precision": precision}))
        assert processes.accelerator.native_amp == (precision == "bf16")


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(AssemblyError, match=r"`training.precision` must be `fp32` or `bf16` on a CPU, but is `fp16`"):
        Processes.start(CPU.model_copy(update={"precision": "fp16"}))


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RunError, match=r"`training.device` must be `cpu` or `auto` here, but is `cuda`"):
        Processes.start(TrainingSpec(device="cuda"))


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("ACCELERATE_MIXED_PRECISION", "bf16", "Set `training.precision` in the spec"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "Set `training.batches_per_step` in the spec"),
        ("ACCELERATE_USE_FSDP", "true", "Set `training.sharding` in the spec"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "Leave it out of the launcher's configuration"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "Leave it out of the launcher's configuration"),
    ],
)
def test_what_the_launcher_asks_and_the_spec_does_not_is_refused(
    name: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(AssemblyError, match=f"`accelerate launch` asks for .* but the spec decides. {remedy}"):
        Processes.start(CPU)


def test_what_the_launcher_and_the_spec_agree_on_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "NO")
    assert Processes.start(CPU.model_copy(update={"precision": "bf16"})).accelerator.native_amp


def test_a_run_in_pieces_leaves_nothing_in_the_environment() -> None:
    with pytest.raises(AssemblyError, match="must go with several processes, but there is one"):
        Processes.start(CPU.model_copy(update={"sharding": "fsdp"}))
    assert "ACCELERATE_USE_FSDP" not in os.environ
    Processes.start(CPU)


class Several(Processes):  # type: ignore[misc]  # final, but a test may stand in for the others
    """Two processes, of which the other has met an error."""

    def __init__(self, *, rank: int) -> None:
        self._own_rank = rank
        self._agreed = None

    @property
    def rank(self) -> int:
        return self._own_rank

    @property
    def world_size(self) -> int:
        return 2


def test_an_error_of_one_process_ends_all_and_is_told_by_the_main_one() -> None:
    met = [None, ("DataError", "a.wav is broken", 3)]
    with pytest.raises(ElsewhereError) as silent:
        Several(rank=1).raise_first(met, own=None)
    assert silent.value.exit_code == 3
    main = Several(rank=0)
    with pytest.raises(Exception, match=r"process of rank 1: a.wav is broken") as told:
        main.raise_first(met, own=None)
    assert told.value.exit_code == 3  # type: ignore[attr-defined]  # a VietmerError
    assert main.has_agreed_on(told.value)
    assert not main.has_agreed_on(RunError("another"))
    main.raise_first([None, None], own=None)
