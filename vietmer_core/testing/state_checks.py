"""Checks of a module's life: seeds, modes, state, dtypes, shapes and lengths."""

import io
from typing import Any

import torch
from torch import Tensor, nn

from vietmer_core.components import Role
from vietmer_core.testing.candidates import NUM_CLASSES, PROTOCOLS, Candidate
from vietmer_core.testing.cases import Case
from vietmer_core.testing.failures import DTYPES, ConformanceError, Place, describe_dtype
from vietmer_core.testing.subjects import Outputs, Subject, Testable, evaluate, flat, row_values
from vietmer_core.testing.value_checks import compare_rows, for_every_case, place_of


def _place(check: str, tested: Testable) -> Place:
    return Place(check=check, component=tested.name, dtype=torch.float64)


def _all_values(outputs: Outputs) -> Tensor:
    return flat([part for row in range(len(outputs[0].lengths)) for part in row_values(outputs, row)])


def protocol(candidate: Candidate) -> None:
    """The built part fulfils the protocol of its role and is an `nn.Module`."""
    wanted = PROTOCOLS[candidate.component.role]
    module = candidate.subject().build(torch.float32)
    if not isinstance(module, wanted):
        members = sorted(name for name in _members(wanted) if not hasattr(module, name))
        raise ConformanceError(
            f"check `protocol`, component `{candidate.name}`: {type(module).__name__} must fulfil the protocol "
            f"`{wanted.__name__}`, but lacks {', '.join(members)}."
        )


def _members(wanted: Any) -> set[str]:
    return set(getattr(wanted, "__protocol_attrs__", set())) | {"forward", "__call__"}


def output_shape(candidate: Candidate) -> None:
    """Widths are those declared, lengths are int64 and lie within the output."""
    subject = candidate.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        outputs = evaluate(subject, module, subject.pad(subject.rows(case), dtype, extra=case.extra))
        place = place_of("output_shape", subject, case, dtype)
        widths, declared = tuple(stream.features.shape[-1] for stream in outputs), _declared(candidate, module)
        if widths != declared:
            raise place.fail(f"the widths of the output must be {declared} as declared, but are {widths} instead.")
        for stream in outputs:
            if stream.features.ndim != 3 or len(stream.lengths) != len(case):
                raise place.fail(
                    f"the output must be ({len(case)}, time, dim), but is {tuple(stream.features.shape)} instead."
                )
            try:
                stream.check_values()
            except ValueError as error:
                raise place.fail(f"in the output, {error}") from error

    for_every_case(subject, holds)


def _declared(candidate: Candidate, module: Any) -> tuple[int, ...]:
    match candidate.component.role:
        case Role.FUSION:
            return tuple(module.output_dims)
        case Role.HEAD:
            return (NUM_CLASSES,)
        case Role.LOSS:
            return (1,)
        case _:
            return (int(module.output_dim),)


def output_dtype(tested: Testable) -> None:
    """The output has the dtype of the module's parameters and of its input: float64 stays float64."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        outputs = evaluate(subject, module, subject.pad(subject.rows(case), dtype))
        for stream in outputs:
            if stream.features.dtype != dtype:
                place = place_of("output_dtype", subject, case, dtype)
                found = describe_dtype(stream.features.dtype)
                raise place.fail(f"the output must be {describe_dtype(dtype)}, but is {found} instead.")

    for_every_case(subject, holds)


def output_lengths(candidate: Candidate) -> None:
    """An encoder's lengths out are those it declares, for any padding; 0 stays 0."""
    subject = candidate.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        for extra in (0, case.extra):
            inputs = subject.pad(rows, dtype, extra=extra, junk_seed=case.seed)
            (output,) = evaluate(subject, module, inputs)
            lengths = inputs["sequence"].lengths
            declared = module.output_lengths(lengths)  # type: ignore[operator]  # an Encoder has it, nn.Module does not
            place = place_of("output_lengths", subject, case, dtype)
            if declared.dtype != torch.int64 or not torch.equal(declared, output.lengths):
                raise place.fail(
                    f"`output_lengths` must say what `forward` gives, {output.lengths.tolist()}, "
                    f"but says {declared.tolist()} ({describe_dtype(declared.dtype)}) for {lengths.tolist()} instead."
                )
            if bool((output.lengths[lengths == 0] != 0).any()):
                raise place.fail("a row of length 0 must stay of length 0.")

    for_every_case(subject, holds)


def eval_deterministic(tested: Testable) -> None:
    """In evaluation mode the same input gives the same bits, whatever torch's global seed."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype)
        first, second = (_seeded(subject, module, inputs, seed) for seed in (1, 2))
        if not torch.equal(first, second):
            place = place_of("eval_deterministic", subject, case, dtype)
            raise place.fail("two evaluations of one input differ; is dropout or a fresh parameter drawn in `forward`?")

    for_every_case(subject, holds)


def _seeded(subject: Subject, module: nn.Module, inputs: Any, seed: int) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _all_values(evaluate(subject, module, inputs))


def same_seed(tested: Testable) -> None:
    """Built twice under one seed of torch, a component has the same parameters and gives the same output."""
    subject = tested.subject()
    for dtype in DTYPES:
        first, second = subject.build(dtype, seed=3).state_dict(), subject.build(dtype, seed=3).state_dict()
        for name, value in first.items():
            if not torch.equal(value, second[name]):
                raise _place("same_seed", tested).fail(f"`{name}` differs between two builds under one seed.")

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype)
        again = evaluate(subject, subject.build(dtype), inputs)
        what = "a second build under the same seed"
        compare_rows(
            "same_seed", subject, case, dtype, expected=evaluate(subject, module, inputs), found=again, what=what
        )

    for_every_case(subject, holds)


def no_global_seeding(tested: Testable) -> None:
    """Neither building nor running a component seeds torch's global generator."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs, draws = subject.pad(subject.rows(case), dtype), []
        for seed in (1, 2):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                subject.make()
                evaluate(subject, module, inputs)
                draws.append(torch.rand(4))
        if torch.equal(draws[0], draws[1]):
            place = place_of("no_global_seeding", subject, case, dtype)
            raise place.fail("after `build` and `forward`, torch draws the same numbers whatever the seed was.")

    for_every_case(subject, holds)


def modes(tested: Testable) -> None:
    """`eval()` reaches every part, and a forward pass leaves every part in the mode it was in."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        place = place_of("modes", subject, case, dtype)
        inputs = subject.pad(subject.rows(case), dtype)
        module.eval()
        training = [name or "the module" for name, part in module.named_modules() if part.training]
        if training:
            raise place.fail(f"`eval()` must reach every part, but {', '.join(training)} stays in training mode.")
        for training_mode in (False, True):
            module.train(training_mode)
            before = [part.training for part in module.modules()]
            evaluate(subject, module, inputs)
            if before != [part.training for part in module.modules()]:
                raise place.fail("the forward pass changes the mode of a part of the module.")

    for_every_case(subject, holds)


def state_unchanged(tested: Testable) -> None:
    """A forward pass in either mode changes no parameter and no buffer: no running statistics of the batches seen."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        for training_mode in (False, True):
            module.train(training_mode)
            evaluate(subject, module, inputs)
        for name, value in module.state_dict().items():
            if not torch.equal(value, before[name]):
                place = place_of("state_unchanged", subject, case, dtype)
                raise place.fail(f"the forward pass writes `{name}`: the result depends on the batches seen before.")

    for_every_case(subject, holds)


def state_dict(tested: Testable) -> None:
    """The state saved to a file and loaded, strictly, into a build under another seed gives the same output."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype)
        file = io.BytesIO()
        torch.save(module.state_dict(), file)
        file.seek(0)
        fresh = subject.build(dtype, seed=5)
        fresh.load_state_dict(torch.load(file, weights_only=True), strict=True)
        expected, found = evaluate(subject, module, inputs), evaluate(subject, fresh, inputs)
        what = "saving and loading the state"
        compare_rows("state_dict", subject, case, dtype, expected=expected, found=found, what=what)

    for_every_case(subject, holds)
