"""Checks of training as it is: what is frozen stays frozen, and what is random belongs to the utterance."""

import attrs
import torch
from torch import nn

from vietmer_core.nn.draws import fresh_draws
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.pretrained.backbone import PretrainedBackbone, backbones
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.cases import Case
from vietmer_core.testing.failures import Place, largest_of, require_same
from vietmer_core.testing.freezing import frozen
from vietmer_core.testing.subjects import (
    Inputs,
    Outputs,
    Rows,
    Subject,
    Testable,
    evaluate,
    flat,
    pick,
    row_values,
    shapes,
)
from vietmer_core.testing.value_checks import for_every_case, place_of


def frozen_stays_frozen(candidate: Candidate) -> None:
    """What a pretrained encoder does not train has no gradient and is in eval mode, whatever mode it is put in."""
    place = Place(check="frozen_stays_frozen", component=candidate.name, dtype=torch.float32)
    for params in (candidate.params, frozen(candidate.params)):
        module = attrs.evolve(candidate, params=params).subject().build(torch.float32)
        for mode in (True, False, True):
            module.train(mode)
            for name, backbone in backbones(module):
                _require_frozen(place, name, backbone)


def _require_frozen(place: Place, name: str, backbone: PretrainedBackbone) -> None:
    trained = {id(part) for root in backbone.trained_modules() for part in root.modules()}
    for inner, part in backbone.model.named_modules():
        if part.training and id(part) not in trained:
            raise place.fail(f"`{name}.model{inner and f'.{inner}'}` is frozen, but is in training mode.")
    free = {id(value) for root in backbone.trained_modules() for value in root.parameters()}
    untouched = backbone.frozen_names()
    for inner, value in backbone.named_parameters():
        if value.requires_grad and (id(value) not in free or inner in untouched):
            raise place.fail(f"`{name}.{inner}` is frozen, but asks for a gradient.")


def _drawn(subject: Subject, module: nn.Module, inputs: Inputs, draws: torch.Tensor, *, seed: int) -> Outputs:
    """A pass in training mode in which every row draws from its own seed; torch's generator stands at `seed`."""
    with_draws = {name: inputs[name].with_draws(draws) for name in inputs}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with UtteranceDropout(draws, stream=0, name="component"):
            return evaluate(subject, module, with_draws)


def training_draws_per_utterance(tested: Testable) -> None:
    """In training with dropout per utterance, every row alone gives the same as in the padded batch, drops included."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        module.train()
        rows: Rows = subject.rows(case)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(case.seed)
            draws = fresh_draws(len(case))  # (batch,)
        batch = _drawn(subject, module, subject.pad(rows, dtype, extra=case.extra), draws, seed=1)
        largest = largest_of(flat([part for row in range(len(case)) for part in row_values(batch, row)]))
        for row in range(len(case)):
            inputs = subject.pad(pick(rows, [row]), dtype)
            alone = row_values(_drawn(subject, module, inputs, draws[row : row + 1], seed=2), 0)
            found = row_values(batch, row)
            place = place_of("training_draws_per_utterance", subject, case, dtype, row)
            if shapes(alone) != shapes(found):
                raise place.fail(f"the batch changes the shape of the row from {shapes(alone)} to {shapes(found)}.")
            what = "the batch around the row, with the same draws,"
            require_same(place, expected=flat(alone), found=flat(found), largest=largest, what=what)
        module.eval()

    for_every_case(subject, holds)
