"""Checks of whole models: poison in the padding, and the promises of their parts once more."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn

from vietmer_core.testing import gradient_checks, state_checks, value_checks
from vietmer_core.testing.assembled import Assembled
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.cases import Case
from vietmer_core.testing.failures import largest_of, require_same
from vietmer_core.testing.gradient_checks import backward
from vietmer_core.testing.subjects import Inputs, Subject, Testable, evaluate, flat
from vietmer_core.testing.value_checks import compare_rows, for_every_case, place_of

POISONS: Final = (float("nan"), float("inf"), float("-inf"))


def _poisoned(subject: Subject, inputs: Inputs, poison: float) -> Inputs:
    """The inputs with the poison in the padding of those that are floating point."""
    poisoned = dict(inputs)
    for name, source in subject.sources.items():
        if source.is_float:
            sequence = inputs[name]
            poisoned[name] = sequence.with_features(sequence.features.masked_fill(~sequence.mask[..., None], poison))
    return poisoned


def poison(tested: Testable) -> None:
    """NaN and infinities in the padding of a whole model's input change no logit and no gradient."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        clean = subject.pad(subject.rows(case), dtype, extra=case.extra)
        expected = evaluate(subject, module, clean)
        own, fed = backward(subject, module, clean, range(len(case)), case.seed)
        gradients = {**own, **fed}
        largest = largest_of(flat(list(gradients.values())))
        for value in POISONS:
            what, inputs = f"{value} in the padding", _poisoned(subject, clean, value)
            found = evaluate(subject, module.eval(), inputs)
            compare_rows("poison", subject, case, dtype, expected=expected, found=found, what=what)
            own, fed = backward(subject, module, inputs, range(len(case)), case.seed)
            for name, gradient in {**own, **fed}.items():
                place, of = place_of("poison", subject, case, dtype), f"{what} (gradient of `{name}`)"
                require_same(place, expected=gradients[name], found=gradient, largest=largest, what=of)
            module.eval()

    for_every_case(subject, holds)


MODEL_CHECKS: Final[Mapping[str, Callable[[Testable], None]]] = {
    check.__name__: check
    for check in (
        poison,
        value_checks.padding_content,
        value_checks.padding_width,
        value_checks.alone_equals_batch,
        value_checks.training_alone_equals_batch,
        value_checks.batch_order,
        value_checks.empty_row,
        gradient_checks.padding_gradient,
        gradient_checks.parameter_gradients,
        gradient_checks.empty_row_gradients,
        state_checks.same_seed,
        state_checks.eval_deterministic,
        state_checks.state_unchanged,
        state_checks.state_dict,
    )
}
"""The checks of a whole model, by name."""


def _alone(candidate: Candidate) -> Assembled:
    return Assembled(parts={candidate.component.role: candidate})


def assembled_poison(candidate: Candidate) -> None:
    """In a model with the kit's own other parts, NaN and infinities in the padding change no logit and no gradient."""
    poison(_alone(candidate))


def assembled_alone_equals_batch(candidate: Candidate) -> None:
    """In a model with the kit's own other parts, every row alone gives the same logits as in the padded batch."""
    value_checks.alone_equals_batch(_alone(candidate))


def assembled_parameter_gradients(candidate: Candidate) -> None:
    """In a model with the kit's own other parts, the gradients of a padded batch are those of its rows, summed."""
    gradient_checks.parameter_gradients(_alone(candidate))
