"""Checks of values: what the padding holds, how wide it is and who the neighbours are must change nothing."""

from collections.abc import Callable, Sequence

import torch
from hypothesis import given
from torch import nn

from vietmer_core.testing.cases import Case
from vietmer_core.testing.dropout import WithoutDropout
from vietmer_core.testing.failures import DTYPES, Place, difference, largest_of, require_same
from vietmer_core.testing.profiles import check_settings
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
    with_draws,
)


def for_every_case(subject: Subject, holds: Callable[[Case, torch.dtype, nn.Module], None]) -> None:
    """Try `holds` on drawn batches, in float64 and float32, each with one module in evaluation mode."""
    modules = {dtype: subject.build(dtype) for dtype in DTYPES}

    @check_settings()
    @given(case=subject.draw)
    def tried(case: Case) -> None:
        for dtype, module in modules.items():
            holds(case, dtype, module)

    tried()


def place_of(check: str, subject: Subject, case: Case, dtype: torch.dtype, row: int | None = None) -> Place:
    """Where a comparison stands."""
    where = "" if row is None else case.describe(row)
    return Place(check=check, component=subject.name, dtype=dtype, row=where)


def compare_rows(  # noqa: PLR0913  # a comparison has two sides and a place
    check: str,
    subject: Subject,
    case: Case,
    dtype: torch.dtype,
    *,
    expected: Outputs,
    found: Outputs,
    what: str,
    order: Sequence[int] | None = None,
    control: str = "",
) -> None:
    """Compare the real frames of every row: row `order[i]` of `expected` with row i of `found`."""
    rows = range(len(case)) if order is None else order
    largest = largest_of(flat([part for row in rows for part in row_values(expected, row)]))
    for position, row in enumerate(rows):
        wanted, given_ = row_values(expected, row), row_values(found, position)
        place = place_of(check, subject, case, dtype, row)
        if shapes(wanted) != shapes(given_):
            raise place.fail(f"{what} changes the shape of the row from {shapes(wanted)} to {shapes(given_)}.")
        require_same(place, expected=flat(wanted), found=flat(given_), largest=largest, what=what, control=control)


def padding_content(tested: Testable) -> None:
    """Whatever finite junk the padding holds, no real frame changes."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        clean = evaluate(subject, module, subject.pad(rows, dtype, extra=case.extra))
        junk = evaluate(subject, module, subject.pad(rows, dtype, extra=case.extra, junk_seed=case.seed))
        compare_rows("padding_content", subject, case, dtype, expected=clean, found=junk, what="junk in the padding")

    for_every_case(subject, holds)


def padding_width(tested: Testable) -> None:
    """Padding further changes no real frame and no length."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        narrow = evaluate(subject, module, subject.pad(rows, dtype))
        wide = evaluate(subject, module, subject.pad(rows, dtype, extra=case.extra))
        what = f"{case.extra} more frames of padding"
        compare_rows("padding_width", subject, case, dtype, expected=narrow, found=wide, what=what)

    for_every_case(subject, holds)


def _control(subject: Subject, module: nn.Module, rows: Rows, row: int, dtype: torch.dtype) -> str:
    """The same comparison where nothing is padded: three copies of the row."""
    alone = evaluate(subject, module, with_draws(subject.pad(pick(rows, [row]), dtype), [row]))
    copies = evaluate(subject, module, with_draws(subject.pad(pick(rows, [row] * 3), dtype), [row] * 3))
    gap = difference(flat(row_values(alone, 0)), flat(row_values(copies, 1)))
    return f" Control, three copies of the row and no padding: {gap:.3g}."


def _alone_in_batch(check: str, subject: Subject, case: Case, dtype: torch.dtype, module: nn.Module) -> None:
    rows = subject.rows(case)
    padded = subject.pad(rows, dtype, extra=case.extra, junk_seed=case.seed)
    batch = evaluate(subject, module, with_draws(padded, range(len(case))))
    largest = largest_of(flat([part for row in range(len(case)) for part in row_values(batch, row)]))
    for row in range(len(case)):
        alone = row_values(evaluate(subject, module, with_draws(subject.pad(pick(rows, [row]), dtype), [row])), 0)
        found = row_values(batch, row)
        place = place_of(check, subject, case, dtype, row)
        same_shape = shapes(alone) == shapes(found)
        if not same_shape:
            raise place.fail(f"the batch changes the shape of the row from {shapes(alone)} to {shapes(found)}.")
        gap = difference(flat(alone), flat(found))
        suspicious = not gap <= 1e-10
        control = _control(subject, module, rows, row, dtype) if suspicious else ""
        what = "the batch around the row"
        require_same(place, expected=flat(alone), found=flat(found), largest=largest, what=what, control=control)


def alone_equals_batch(tested: Testable) -> None:
    """Every row alone gives the same as in the padded batch."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        _alone_in_batch("alone_equals_batch", subject, case, dtype, module)

    for_every_case(subject, holds)


def training_alone_equals_batch(tested: Testable) -> None:
    """The same in training mode with dropout switched off: no statistics of the batch, no draw of its width.

    A draw from the seed of a row (`MaskedSequence.draws`) is none of the batch.
    """
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        module.train()
        with WithoutDropout():
            _alone_in_batch("training_alone_equals_batch", subject, case, dtype, module)

    for_every_case(subject, holds)


def equal_lengths(tested: Testable) -> None:
    """The control: rows of equal length, so no padding at all, give the same alone and in a batch."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        longest = {name: (max(lengths),) * len(case) for name, lengths in case.lengths.items()}
        even = Case(lengths=longest, extra=0, seed=case.seed)
        rows = {name: _cut(values) for name, values in subject.rows(even).items()}
        batch = evaluate(subject, module, subject.pad(rows, dtype))
        for row in range(len(even)):
            alone = evaluate(subject, module, subject.pad(pick(rows, [row]), dtype))
            place = place_of("equal_lengths", subject, even, dtype, row)
            expected, found = flat(row_values(alone, 0)), flat(row_values(batch, row))
            largest = largest_of(flat([stream.features for stream in batch]))
            require_same(place, expected=expected, found=found, largest=largest, what="a batch without any padding")

    for_every_case(subject, holds)


def _cut(values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The rows cut to the shortest, since equal words or samples may give unequal frames."""
    shortest = min(len(value) for value in values)
    return [value[:shortest] for value in values]


def batch_order(tested: Testable) -> None:
    """Rows in another order give the same rows in that order."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows, order = subject.rows(case), [*range(1, len(case)), 0][::-1]
        first = evaluate(subject, module, subject.pad(rows, dtype))
        second = evaluate(subject, module, subject.pad(pick(rows, order), dtype))
        what = f"the order {order} of the rows"
        compare_rows("batch_order", subject, case, dtype, expected=first, found=second, what=what, order=order)

    for_every_case(subject, holds)


def empty_row(tested: Testable) -> None:
    """A row of length 0 gives finite output and leaves its neighbours as they are, junk in its padding included."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = subject.rows(case)
        without = evaluate(subject, module, subject.pad(rows, dtype))
        nothing = {name: [*values, values[0][:0]] for name, values in rows.items()}
        inputs = subject.pad(nothing, dtype, junk_seed=case.seed)
        beside = evaluate(subject, module, inputs)
        what = "an empty row beside it"
        compare_rows("empty_row", subject, case, dtype, expected=without, found=beside, what=what)
        _require_finite(subject, case, dtype, beside, "the empty row")
        for name in subject.sources:
            one_absent = {**rows, name: [values[:0] for values in rows[name]]}
            output = evaluate(subject, module, subject.pad(one_absent, dtype, extra=case.extra, junk_seed=case.seed))
            _require_finite(subject, case, dtype, output, f"a batch in which every row of `{name}` is empty")

    for_every_case(subject, holds)


def _require_finite(subject: Subject, case: Case, dtype: torch.dtype, outputs: Outputs, what: str) -> None:
    for row in range(len(outputs[0].lengths)):
        values = flat(row_values(outputs, row))
        bad = int((~torch.isfinite(values)).sum())
        if bad:
            place = place_of("empty_row", subject, case, dtype)
            raise place.fail(f"{what} gives {bad} NaN or infinite values of {values.numel()} in output row {row}.")


def empty_embedding(tested: Testable) -> None:
    """A pooler gives zeros for a row of length 0, and no gradient."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        rows = {name: [values[0], values[0][:0]] for name, values in subject.rows(case).items()}
        inputs = subject.pad(rows, dtype, extra=case.extra, junk_seed=case.seed)
        module.zero_grad()
        (embeddings,) = subject.call(module, inputs)
        empty = embeddings.features[1]
        place = place_of("empty_embedding", subject, case, dtype)
        if not bool((empty == 0).all()):
            raise place.fail(f"a row of length 0 must give zeros, but gives up to {largest_of(empty):.3g} instead.")
        if empty.requires_grad:
            torch.autograd.backward(empty.sum())
        for name, parameter in module.named_parameters():
            if parameter.grad is not None and not bool((parameter.grad == 0).all()):
                raise place.fail(f"a row of length 0 must give no gradient, but gives one to `{name}`.")

    for_every_case(subject, holds)


def inputs_untouched(tested: Testable) -> None:
    """A forward pass writes nothing into its input."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype, extra=case.extra, junk_seed=case.seed)
        before = _copies(inputs)
        evaluate(subject, module, inputs)
        for name, (features, lengths) in before.items():
            same = torch.equal(features, inputs[name].features) and torch.equal(lengths, inputs[name].lengths)
            if not same:
                place = place_of("inputs_untouched", subject, case, dtype)
                raise place.fail(f"the forward pass writes into its input `{name}`; write into a copy.")

    for_every_case(subject, holds)


def _copies(inputs: Inputs) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return {name: (sequence.features.clone(), sequence.lengths.clone()) for name, sequence in inputs.items()}
