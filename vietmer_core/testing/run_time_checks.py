"""Checks of how a module is run: in half precision, and compiled."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from vietmer_core.testing.cases import Case
from vietmer_core.testing.dropout import WithoutDropout
from vietmer_core.testing.failures import Place, describe_dtype, largest_of, require_same
from vietmer_core.testing.gradient_checks import gradients_of, leaves, projected
from vietmer_core.testing.profiles import is_search
from vietmer_core.testing.subjects import Inputs, Outputs, Subject, Testable, flat, row_values

HALVES: Final = (torch.bfloat16, torch.float16)

RAGGED: Final = ((5, 2, 0, 9), (7, 7, 1, 3), (4, 0, 6, 2))
"""Lengths of three batches of different widths."""

_SEED: Final = 7


def fixed_cases(subject: Subject, *, single: bool) -> list[Case]:
    """Three batches; `single` where every row must hold one frame."""
    made = [(1,) * size for size in (4, 3, 5)] if single else RAGGED
    return [Case(lengths=dict.fromkeys(subject.sources, lengths), extra=2, seed=_SEED) for lengths in made]


def _is_single(subject: Subject) -> bool:
    return not {"sequence", "text", "audio"} & set(subject.sources)


def _floats(outputs: Outputs) -> Outputs:
    return tuple(stream.with_features(stream.features.float()) for stream in outputs)


def autocast_finite(tested: Testable) -> None:
    """In training under autocast in bf16 and in fp16, values and gradients are finite."""
    subject = tested.subject()
    case = fixed_cases(subject, single=_is_single(subject))[0]
    for dtype in HALVES:
        place = Place(check="autocast_finite", component=tested.name, dtype=dtype)
        module = subject.build(torch.float32).train()
        inputs, given = leaves(subject, subject.pad(subject.rows(case), torch.float32, extra=case.extra))
        with WithoutDropout():
            with torch.autocast("cpu", dtype=dtype):
                outputs = subject.call(module, inputs)
            loss = projected(_floats(outputs), range(len(case)), case.seed)
        if loss.requires_grad:
            torch.autograd.backward(loss)
        values = flat([part for row in range(len(case)) for part in row_values(outputs, row)])
        _require_finite(place, {"the output": values, **gradients_of(module, given)})


def _require_finite(place: Place, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            of = name if name == "the output" else f"the gradient of `{name}`"
            half = describe_dtype(place.dtype)
            raise place.fail(f"{of} holds {bad} NaN or infinite values of {tensor.numel()} under autocast in {half}.")


def compiled_equals_eager(tested: Testable) -> None:
    """Compiled, values and gradients are those of eager mode, at several widths.

    The graphs that are captured run operation by operation; a search (the profile `properties`) traces their gradients
    ahead of time, too (`aot_eager`), which takes most of the time of the check.
    """
    subject = tested.subject()
    place = Place(check="compiled_equals_eager", component=tested.name, dtype=torch.float32)
    module = subject.build(torch.float32)
    torch.compiler.reset()  # what other modules compiled is forgotten
    counters.clear()
    compiled = torch.compile(module, backend="aot_eager" if is_search() else "eager", dynamic=True)
    try:
        for case in fixed_cases(subject, single=_is_single(subject)):
            padded = subject.pad(subject.rows(case), torch.float32, extra=case.extra)
            expected = _everything(subject, module, module, padded, case)
            with warnings.catch_warnings():
                # where a graph breaks, torch asks for `.grad` and hides the warning of it, unless warnings are errors
                warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
                found = _everything(subject, compiled, module, padded, case)
            for name, value in expected.items():
                what = f"torch.compile at the lengths {list(next(iter(case.lengths.values())))} ({name})"
                largest = max(largest_of(value), largest_of(flat(list(expected.values()))) * 1e-3)
                require_same(place, expected=value, found=found[name], largest=largest, what=what)
        if not counters["stats"]["unique_graphs"]:
            raise place.fail("no part of it is compiled; `torch.compiler.disable` keeps the compiler out.")
    finally:
        torch.compiler.reset()


def _everything(subject: Subject, called: Any, module: nn.Module, padded: Inputs, case: Case) -> dict[str, Tensor]:
    """The output and all gradients of one pass in evaluation mode, so that dropout draws nothing."""
    module.zero_grad()
    inputs, given = leaves(subject, padded)
    outputs = subject.call(called, inputs)
    loss = projected(outputs, range(len(case)), case.seed)
    if loss.requires_grad:
        torch.autograd.backward(loss)
    rows: Sequence[Tensor] = [part.detach() for row in range(len(case)) for part in row_values(outputs, row)]
    return {"the output": flat(rows), **gradients_of(module, given)}
