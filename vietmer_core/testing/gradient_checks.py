"""Checks of gradients, in training mode with dropout switched off: the optimiser must not see the padding.

Every row has a seed of its own, so that what else draws in training, as SpecAugment does, may stay switched on.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing.cases import Case
from vietmer_core.testing.dropout import WithoutDropout
from vietmer_core.testing.failures import largest_of, require_same
from vietmer_core.testing.subjects import Inputs, Outputs, Rows, Subject, Testable, flat, pick, row_values, with_draws
from vietmer_core.testing.value_checks import for_every_case, place_of


def projected(outputs: Outputs, identities: Sequence[int], seed: int) -> Tensor:
    """A sum of all real frames with fixed random weights, which depend on the row's identity, not on its position."""
    total = torch.zeros((), dtype=outputs[0].features.dtype)
    for position, identity in enumerate(identities):
        generator = torch.Generator().manual_seed(seed + 1009 * identity)
        for frames in row_values(outputs, position):
            weights = torch.randn(frames.shape, generator=generator, dtype=torch.float64)
            total = total + (frames * weights.to(frames.dtype)).sum()
    return total


def leaves(subject: Subject, inputs: Inputs) -> tuple[dict[str, MaskedSequence], dict[str, Tensor]]:
    """The inputs with gradients asked for where they are floating point, and those leaves."""
    made = {
        name: inputs[name].features.clone().requires_grad_()
        for name, source in subject.sources.items()
        if source.is_float
    }
    return {**inputs, **{name: inputs[name].with_features(leaf) for name, leaf in made.items()}}, made


def backward(
    subject: Subject, module: nn.Module, inputs: Inputs, identities: Sequence[int], seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Gradients of the projection with respect to the parameters and to the floating-point inputs."""
    module.train()
    module.zero_grad()
    with_leaves, given = leaves(subject, inputs)
    with WithoutDropout():
        loss = projected(subject.call(module, with_draws(with_leaves, identities)), identities, seed)
    if loss.requires_grad:
        torch.autograd.backward(loss)
    return _gradients(module), {name: _gradient(leaf) for name, leaf in given.items()}


def gradients_of(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradients of a module's parameters and of its floating-point inputs, by name."""
    return {**_gradients(module), **{f"input {name}": _gradient(leaf) for name, leaf in given.items()}}


def _gradient(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.detach().clone()


def _gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: _gradient(value) for name, value in module.named_parameters() if value.requires_grad}


def padding_gradient(tested: Testable) -> None:
    """The gradient with respect to the padding is exactly 0."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype, extra=case.extra, junk_seed=case.seed)
        _, gradients = backward(subject, module, inputs, range(len(case)), case.seed)
        for name, gradient in gradients.items():
            for row in range(len(case)):
                padded = gradient[row, int(inputs[name].lengths[row]) :]
                if not bool((padded == 0).all()):
                    place = place_of("padding_gradient", subject, case, dtype, row)
                    largest = largest_of(padded)
                    raise place.fail(f"the padding of `{name}` has a gradient of {largest:.3g}; it must be exactly 0.")

    for_every_case(subject, holds)


def input_gradients(tested: Testable) -> None:
    """The gradient with respect to a row's own frames is the same alone and in the padded batch."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        inputs = subject.pad(rows, dtype, extra=case.extra, junk_seed=case.seed)
        _, together = backward(subject, module, inputs, range(len(case)), case.seed)
        largest = largest_of(flat(list(together.values())))
        for row in range(len(case)):
            _, alone = backward(subject, module, subject.pad(pick(rows, [row]), dtype), [row], case.seed)
            place = place_of("input_gradients", subject, case, dtype, row)
            for name, gradient in alone.items():
                found = together[name][row, : gradient.shape[1]]
                what = f"the batch around the row (gradient of `{name}`)"
                require_same(place, expected=gradient[0], found=found, largest=largest, what=what)

    for_every_case(subject, holds)


def _summed(subject: Subject, module: nn.Module, rows: Rows, case: Case, dtype: torch.dtype) -> Mapping[str, Tensor]:
    total: dict[str, Tensor] = {}
    for row in range(len(case)):
        gradients, _ = backward(subject, module, subject.pad(pick(rows, [row]), dtype), [row], case.seed)
        total = {name: total[name] + gradient if total else gradient for name, gradient in gradients.items()}
    return total


def parameter_gradients(tested: Testable) -> None:
    """The gradients of the parameters from a padded batch are the sum of those from its rows alone."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        inputs = subject.pad(rows, dtype, extra=case.extra, junk_seed=case.seed)
        together, _ = backward(subject, module, inputs, range(len(case)), case.seed)
        summed = _summed(subject, module, rows, case, dtype)
        largest = largest_of(flat(list(summed.values())))
        place = place_of("parameter_gradients", subject, case, dtype)
        for name, expected in summed.items():
            what = f"the batch {dict(case.lengths)} against its rows alone (gradient of `{name}`)"
            require_same(place, expected=expected, found=together[name], largest=largest, what=what)

    for_every_case(subject, holds)


def empty_row_gradients(tested: Testable) -> None:
    """A batch that holds empty rows gives finite gradients, also where every row of an input is empty."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        for name in subject.sources:
            first_absent = {**rows, name: [rows[name][0][:0], *rows[name][1:]]}
            all_absent = {**rows, name: [values[:0] for values in rows[name]]}
            for what, some in (("the first row", first_absent), ("every row", all_absent)):
                inputs = subject.pad(some, dtype, extra=case.extra, junk_seed=case.seed)
                own, fed = backward(subject, module, inputs, range(len(case)), case.seed)
                for of, gradient in {**own, **fed}.items():
                    if not bool(torch.isfinite(gradient).all()):
                        place = place_of("empty_row_gradients", subject, case, dtype)
                        raise place.fail(f"{what} of `{name}` is empty and the gradient of `{of}` is not finite.")

    for_every_case(subject, holds)
