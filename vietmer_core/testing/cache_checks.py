"""The check of encoders whose states may be kept: they are `finish(encode(x))`, and frozen states never change."""

from collections.abc import Callable
from typing import cast

import attrs
import torch
from hypothesis import given
from torch import nn

from vietmer_core.pretrained.backbone import backbones
from vietmer_core.protocols import CacheableEncoder
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.cases import Case
from vietmer_core.testing.failures import Place, difference
from vietmer_core.testing.freezing import frozen, ways_of_training
from vietmer_core.testing.profiles import check_settings
from vietmer_core.testing.subjects import Subject
from vietmer_core.testing.value_checks import place_of

CHECK = "cacheable_split"


def cacheable_split(candidate: Candidate) -> None:
    """An encoder that offers states (`CacheableEncoder`) is `finish(encode(x))`, frozen ones never change; others pass.

    To the bit. `finish` reads the states alone, and every way of training the pretrained part is an `obstacle`.
    """
    subject = candidate.subject()
    if not isinstance(subject.build(torch.float32), CacheableEncoder):
        return
    _require_obstacles(candidate)
    for params in (candidate.params, frozen(candidate.params)):
        _try(attrs.evolve(candidate, params=params).subject())


def _try(subject: Subject) -> None:
    """Drawn batches, in float32 alone: bits are compared, not sizes of differences."""
    module = subject.build(torch.float32)

    @check_settings()
    @given(case=subject.draw)
    def tried(case: Case) -> None:
        place = place_of(CHECK, subject, case, torch.float32)
        rows = subject.rows(case)
        nothing = {name: [values[0][:0]] for name, values in rows.items()}
        for inputs in (
            subject.pad(rows, torch.float32, extra=case.extra, junk_seed=case.seed),
            subject.pad(nothing, torch.float32),
        ):
            sequence = _drawn(inputs["sequence"], case.seed)
            for is_training in (False, True):
                module.train(is_training)
                _require_split(place, module, sequence, mode="training" if is_training else "evaluation")
            if not cast("CacheableEncoder", module).obstacle():
                _require_constant(place, module, sequence)

    tried()


def _drawn(sequence: MaskedSequence, seed: int) -> MaskedSequence:
    """With the seeds `seed`, `seed + 1`, … for its rows."""
    return sequence.with_draws(seed + torch.arange(len(sequence.lengths)))


def _seeded(call: Callable[[], MaskedSequence], seed: int) -> MaskedSequence:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return call()


def _require_split(place: Place, module: nn.Module, sequence: MaskedSequence, *, mode: str) -> None:
    """The states are as declared, and what is made of them is what the encoder gives."""
    encoder = cast("CacheableEncoder", module)
    states = _seeded(lambda: encoder.encode(sequence), 1)
    found, wanted = tuple(states.features.shape), (*sequence.features.shape[:1], "time", encoder.states_dim)
    if states.features.ndim != 3 or (found[0], found[2]) != (wanted[0], wanted[2]):
        raise place.fail(f"the states must be {wanted} as `states_dim` declares, but are {found} instead.")
    declared = module.output_lengths(sequence.lengths)  # type: ignore[operator]  # an Encoder has it
    if not torch.equal(states.lengths, declared):
        raise place.fail(f"the states must have the lengths {declared.tolist()}, but {states.lengths.tolist()}.")
    if bool(states.features[~states.mask].any()):
        raise place.fail("the states must hold zeros in the padding.")
    whole = _seeded(lambda: module(sequence), 1)
    parts = _seeded(lambda: encoder.finish(encoder.encode(sequence)), 1)
    _require_equal(place, f"`finish(encode(x))` must be `forward(x)` to the bit in {mode} mode", whole, parts)
    if not encoder.obstacle():
        kept = MaskedSequence(features=states.features.detach().clone(), lengths=states.lengths.clone())
        again = _seeded(lambda: encoder.finish(kept), 1)
        _require_equal(place, f"`finish` must read nothing but the states in {mode} mode", whole, again)


def _require_equal(place: Place, rule: str, expected: MaskedSequence, found: MaskedSequence) -> None:
    if not torch.equal(expected.lengths, found.lengths):
        raise place.fail(f"{rule}, but its lengths are {found.lengths.tolist()}, not {expected.lengths.tolist()}.")
    if expected.features.dtype != found.features.dtype or not torch.equal(expected.features, found.features):
        gap = difference(expected.features.detach(), found.features.detach())
        raise place.fail(f"{rule}, but differs by {gap:.3g}.")


def _require_constant(place: Place, module: nn.Module, sequence: MaskedSequence) -> None:
    """Without an obstacle, states are the same at every call, in either mode, and carry no gradient."""
    encoder = cast("CacheableEncoder", module)
    module.eval()
    expected = _seeded(lambda: encoder.encode(sequence), 1)
    module.train()
    given = sequence
    if sequence.features.is_floating_point():
        given = sequence.with_features(sequence.features.clone().requires_grad_())
    found = _seeded(lambda: encoder.encode(_drawn(given, 10**6)), 2)
    rule = "without an `obstacle`, the states must be those of evaluation mode in training, whatever is drawn"
    _require_equal(place, rule, expected, found)
    if found.features.requires_grad:
        raise place.fail("without an `obstacle`, no gradient must flow through `encode`, but its states ask for one.")


def _require_obstacles(candidate: Candidate) -> None:
    """Whatever trains a pretrained part at some epoch is an obstacle that names its field."""
    place = Place(check=CHECK, component=candidate.name, dtype=torch.float32)
    _require_told(place, candidate.subject().build(torch.float32), "the parameters tested")
    for field, params in ways_of_training(candidate.params).items():
        module = attrs.evolve(candidate, params=params).subject().build(torch.float32)
        _require_told(place, module, f"`{field}`")
        obstacle = cast("CacheableEncoder", module).obstacle()
        if field.rsplit(".", 1)[-1] not in obstacle:
            raise place.fail(f"`obstacle` must name `{field}`, which trains inside the encoder, but says `{obstacle}`.")


def _require_told(place: Place, module: nn.Module, what: str) -> None:
    obstacle = cast("CacheableEncoder", module).obstacle()
    trained = [name for name, backbone in backbones(module) if backbone.parameter_groups()]
    if trained and not obstacle:
        raise place.fail(f"with {what} `{trained[0]}` is trained, but `obstacle` is empty: what changes would be kept.")
