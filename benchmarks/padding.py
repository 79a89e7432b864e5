"""The largest difference between an utterance alone and in a padded batch, for every component and every leak.

    nox -s bench -- padding

Prints two Markdown tables: the registered components, which must stay under 1e-10 in float64 and 1e-5 in float32, and
those of the kit's deliberate leaks that show in these numbers. Differences are divided by the largest output (values)
and the largest gradient (gradients). Junk up to 1e4 stands in the padding.
"""

from collections.abc import Iterator, Sequence

import attrs
import torch
from torch import Tensor, nn

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.testing import candidate_of
from vietmer_core.testing.cases import Case
from vietmer_core.testing.dropout import WithoutDropout
from vietmer_core.testing.leaky import LEAKS
from vietmer_core.testing.subjects import Inputs, Rows, Subject, flat, pick, row_values

ROLES = (Role.TEXT, Role.AUDIO, Role.FUSION, Role.POOLER)
MEASURED_BY = {"alone_equals_batch", "training_alone_equals_batch", "parameter_gradients"}
LENGTHS = ((9, 4, 1, 7), (3, 8, 0, 5), (2, 2, 6, 9), (12, 1, 5, 11))


@attrs.frozen(kw_only=True)
class Gap:
    """Largest relative differences found: values and parameter gradients."""

    values: float
    gradients: float


def cases(subject: Subject) -> Iterator[Case]:
    """Ragged batches of four rows, another order of lengths for each input."""
    for seed, lengths in enumerate(LENGTHS):
        turned = {name: lengths[shift:] + lengths[:shift] for shift, name in enumerate(subject.sources)}
        yield Case(lengths=turned, extra=3, seed=seed)


def run(subject: Subject, module: nn.Module, inputs: Inputs, size: int) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The real frames of every row, and the parameter gradients of their weighted sum."""
    module.zero_grad()
    outputs = subject.call(module, inputs)
    rows = [flat(row_values(outputs, row)) for row in range(size)]
    total = torch.stack([(row * torch.linspace(-1, 1, len(row), dtype=row.dtype)).sum() for row in rows]).sum()
    if total.requires_grad:
        torch.autograd.backward(total)
    gradients = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    return [row.detach() for row in rows], gradients


def relative(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """Largest difference ÷ largest expected number; infinite where shapes differ or a number is not finite."""
    if [len(part) for part in expected] != [len(part) for part in found]:
        return float("inf")
    wanted, given = flat(expected), flat(found)
    if not len(wanted):
        return 0.0
    gap = (wanted - given).abs().max() / wanted.abs().max().clamp(min=1e-30)
    return float(gap) if bool(torch.isfinite(given).all()) else float("inf")


def measure(subject: Subject, dtype: torch.dtype) -> Gap:
    """The largest gaps over all cases, in training mode without dropout."""
    values, gradients = 0.0, 0.0
    for case in cases(subject):
        module = subject.build(dtype).train()
        rows: Rows = subject.rows(case)
        with WithoutDropout():
            batch, batch_gradients = run(
                subject, module, subject.pad(rows, dtype, extra=case.extra, junk_seed=case.seed), len(case)
            )
            alone: list[Tensor] = []
            summed: dict[str, Tensor] = {}
            for row in range(len(case)):
                (one,), given = run(subject, module, subject.pad(pick(rows, [row]), dtype), 1)
                alone.append(one)
                summed = {name: summed.get(name, 0) + part for name, part in given.items()} | {
                    name: part for name, part in summed.items() if name not in given
                }
        values = max(values, relative(alone, batch))
        names = sorted(set(summed) & set(batch_gradients))
        gradients = max(gradients, relative([summed[n] for n in names], [batch_gradients[n] for n in names]))
    return Gap(values=values, gradients=gradients)


def row(title: str, component: Component) -> str:
    """One row of a table."""
    figures = []
    for dtype in (torch.float64, torch.float32):
        try:
            gap = measure(candidate_of(component).subject(), dtype)
            figures += [f"{gap.values:.1e}", f"{gap.gradients:.1e}"]
        except Exception as error:  # noqa: BLE001  # a leak may crash instead
            figures += [type(error).__name__, "–"]
    return f"| {title} | " + " | ".join(figures) + " |"


def main() -> None:
    torch.set_num_threads(1)
    head = "| {} | float64 values | gradients | float32 values | gradients |\n|---|--:|--:|--:|--:|"
    print(head.format("component"))
    for offer in installed_catalogue().offered:
        if offer.component.role in ROLES:
            print(row(f"`{offer.component.role}: {offer.component.kind}`", offer.component), flush=True)
    print()
    print(head.format("deliberate leak"))
    for leak in LEAKS:
        if leak.component.role in ROLES and MEASURED_BY & set(leak.caught_by):
            print(row(leak.name, leak.component), flush=True)


if __name__ == "__main__":
    main()
