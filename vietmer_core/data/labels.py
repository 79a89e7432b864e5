"""What the labels of a row must be, hard and soft, and what the label map makes of them. Torch-free."""

import difflib
import math
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Final

import attrs

from vietmer_core.data.faults import Fault
from vietmer_core.data.lines import kind_of, shown_number
from vietmer_core.label_maps.named import NamedLabelMap

TOLERANCE: Final = 1e-3
"""Rounding allowed in a soft label: of its sum, and between its label and the most probable."""

CORPUS_FIELD: Final = "corpus"
"""The field by which a named label map is chosen."""

_EQUAL: Final = 1e-9
_LABEL_TYPES: Final = frozenset({str, NoneType})
_NUMBERS: Final = frozenset({int, float})


@attrs.frozen(kw_only=True)
class RowRules:
    """What is expected of the rows of one manifest.

    Attributes:
        label_field: The field that holds the label.
        soft_label_field: The field that holds a soft label, the probability of each label, or None to read none.
        label_map: Label as written → label used; None leaves the row out. Labels not in it stay as they are.
        labels: The label space in order, or None where any label will do.
        require_labels: Whether a row without a label is at fault.
        named_map: In place of `label_map`: a map for each corpus, chosen by the row's field `corpus`. A label or a
            corpus that it does not hold is at fault.
    """

    label_field: str
    soft_label_field: str | None = None
    label_map: Mapping[str, str | None]
    labels: tuple[str, ...] | None
    require_labels: bool
    named_map: NamedLabelMap | None = None

    def map_of(self, row: Mapping[str, Any]) -> Mapping[str, str | None]:
        """The label map of a row; empty where its corpus is not in the named map."""
        if self.named_map is None:
            return self.label_map
        corpus = row.get(CORPUS_FIELD)
        return self.named_map.corpora.get(corpus, {}) if isinstance(corpus, str) else {}

    def has_soft_label(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has a soft label of its own."""
        return self.soft_label_field is not None and row.get(self.soft_label_field) is not None

    def has_label(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has a label, hard or soft."""
        return row.get(self.label_field) is not None or self.has_soft_label(row)

    def is_left_out(self, row: Mapping[str, Any]) -> bool:
        """Whether the label map leaves this row out: its label, or every label with a part in its soft label."""
        label = row.get(self.label_field)
        mapping = self.map_of(row)
        if label is not None:
            return isinstance(label, str) and _leaves_out(mapping, label)
        soft = row[self.soft_label_field] if self.soft_label_field and self.has_soft_label(row) else None
        named = [name for name, share in soft.items() if share] if isinstance(soft, dict) else []
        return bool(named) and all(_leaves_out(mapping, name) for name in named)

    def label_of(self, row: Mapping[str, Any]) -> str | None:
        """The mapped label of a sound row; of a row with a soft label alone, the most probable.

        Where several are most probable, it is the first in the order of the label space (of the alphabet where there is
        none).
        """
        label = row.get(self.label_field)
        if label is not None:
            return self.map_of(row).get(label, label)
        soft = self._mapped(row)
        if soft is None:
            return None
        largest = max(soft.values())
        order = sorted(soft) if self.labels is None else self.labels
        return next(name for name in order if soft.get(name, 0) >= largest - _EQUAL)

    def soft_label_of(self, row: Mapping[str, Any]) -> dict[str, float] | None:
        """The mapped soft label of a sound row, label → probability; they sum to 1.

        A row that has only a label gives it all. None where no soft labels are read, or the row has no label at all.
        """
        if self.soft_label_field is None:
            return None
        soft = self._mapped(row)
        if soft is not None:
            return soft
        label = self.label_of(row)
        return None if label is None else {label: 1.0}

    def _mapped(self, row: Mapping[str, Any]) -> dict[str, float] | None:
        if self.soft_label_field is None or not self.has_soft_label(row):
            return None
        mapping, shares = self.map_of(row), dict[str, list[float]]()
        for name, share in row[self.soft_label_field].items():
            target = mapping.get(name, name)
            if target is not None:
                shares.setdefault(target, []).append(share)
        total = math.fsum(share for parts in shares.values() for share in parts)
        return {name: math.fsum(parts) / total for name, parts in shares.items()}


def _leaves_out(mapping: Mapping[str, str | None], label: str) -> bool:
    return label in mapping and mapping[label] is None


def label_faults(row: Mapping[str, Any], rules: RowRules) -> list[Fault]:
    """Every fault of the labels of a row; empty where they are sound."""
    if rules.named_map is not None and rules.has_label(row):
        corpus = row.get(CORPUS_FIELD)
        if not isinstance(corpus, str) or corpus not in rules.named_map.corpora:
            return [_corpus_fault(corpus, rules.named_map)]
    faults = _hard_faults(row, rules)
    if rules.soft_label_field is None or not rules.has_soft_label(row):
        return faults
    soft = row[rules.soft_label_field]
    found = _form_faults(soft, rules.soft_label_field, row, rules)
    if faults or found or rules.is_left_out(row):
        return [*faults, *found]
    return _agreement_faults(row, rules, rules.soft_label_field)


def _hard_faults(row: Mapping[str, Any], rules: RowRules) -> list[Fault]:
    name = rules.label_field
    label = row.get(name)
    if type(label) not in _LABEL_TYPES:
        message = f"must be a string, but is {kind_of(label)} instead."
        return [Fault(code="wrong-type", field=name, message=message, remedy="Write the label in quotes.")]
    if label is None:
        if not rules.require_labels or rules.has_soft_label(row):
            return []
        remedy = f"Add a label, or name the field that holds it (the label field is now `{name}`)."
        return [Fault(code="absent-label", field=name, message="the row has no label.", remedy=remedy)]
    if not label:
        message = "the string is empty."
        return [Fault(code="empty-value", field=name, message=message, remedy="Write null where there is no label.")]
    return _unknown(label, name, row, rules)


def _corpus_fault(corpus: object, named: NamedLabelMap) -> Fault:
    if isinstance(corpus, str):
        message, remedy = named.lacks(corpus), "Correct it, or give the manifest a `label_map` of its own."
    else:
        message = f"the row names no corpus, by which label map {named} is chosen."
        known = ", ".join(sorted(named.corpora))
        remedy = f"Add the field, or give the manifest a `label_map` of its own; the map has {known}."
    return Fault(code="unknown-corpus", field=CORPUS_FIELD, message=message, remedy=remedy)


def _unknown(label: str, field: str, row: Mapping[str, Any], rules: RowRules) -> list[Fault]:
    mapping = rules.map_of(row)
    if rules.named_map is not None and label not in mapping:
        message = f"`{label}` is no label of `{row[CORPUS_FIELD]}` in label map {rules.named_map}; it has "
        message += f"{', '.join(f'`{one}`' for one in mapping)}."
        return [Fault(code="unknown-label", field=field, message=message, remedy=_resembling(label, sorted(mapping)))]
    mapped = mapping.get(label, label)
    if rules.labels is None or mapped is None or mapped in rules.labels:
        return []
    origin = "" if mapped == label else f" (from `{label}` by the label map)"
    known = ", ".join(f"`{one}`" for one in sorted(rules.labels))
    message = f"`{mapped}`{origin} is not in the label space: {known}."
    remedy = _resembling(mapped, sorted(rules.labels))
    return [Fault(code="unknown-label", field=field, message=message, remedy=remedy)]


def _resembling(name: str, candidates: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
    return f"Did you mean `{close[0]}`?" if close else ""


def _form_faults(soft: object, field: str, row: Mapping[str, Any], rules: RowRules) -> list[Fault]:
    """What is wrong with a soft label by itself."""
    if not isinstance(soft, dict):
        message = f"must be an object of labels and their probabilities, or null, but is {kind_of(soft)} instead."
        return [Fault(code="wrong-type", field=field, message=message)]
    if not soft:
        remedy = "Write null where there is no soft label."
        return [Fault(code="empty-value", field=field, message="the object names no label.", remedy=remedy)]
    faults: list[Fault] = []
    for name, share in soft.items():
        faults += _unknown(name, field, row, rules)
        if type(share) not in _NUMBERS:
            message = f"the probability of `{name}` must be a number, but is {kind_of(share)} instead."
            faults.append(Fault(code="wrong-type", field=field, message=message))
        elif not 0 <= share <= 1 + TOLERANCE:
            message = f"the probability of `{name}` must lie between 0 and 1, but is {shown_number(share)}."
            remedy = "Divide the raters' votes by their number." if share > 1 else ""
            faults.append(Fault(code="bad-probabilities", field=field, message=message, remedy=remedy))
    if faults:
        return faults
    total = math.fsum(soft.values())
    if abs(total - 1) > TOLERANCE:
        message = f"the probabilities must sum to 1, within {TOLERANCE:g}, but sum to {total:.6g}."
        remedy = "Give the share of the raters that chose each label."
        return [Fault(code="bad-probabilities", field=field, message=message, remedy=remedy)]
    return []


def _agreement_faults(row: Mapping[str, Any], rules: RowRules, field: str) -> list[Fault]:
    """What is wrong between a sound soft label and the label map, or the label of the row."""
    mapping = rules.map_of(row)
    gone = {name: share for name, share in row[field].items() if share and _leaves_out(mapping, name)}
    if gone:
        names = " and ".join(f"`{name}`" for name in gone)
        message = f"{math.fsum(gone.values()):.6g} of the probability goes to {names}, which the label map leaves out."
        remedy = "Map it to a label, or leave the row out."
        return [Fault(code="partly-left-out", field=field, message=message, remedy=remedy)]
    label, soft = rules.label_of(row), rules.soft_label_of(row)
    assert soft is not None
    if row.get(rules.label_field) is None or soft.get(str(label), 0) >= max(soft.values()) - TOLERANCE:
        return []
    likely = max(soft, key=lambda name: soft[name])
    message = f"`{likely}` has the probability {soft[likely]:.6g}, but the label is `{label}`, with "
    message += f"{soft.get(str(label), 0):.6g}."
    remedy = f"Correct one of them, or write null in `{rules.label_field}` to take the most probable label."
    return [Fault(code="labels-disagree", field=field, message=message, remedy=remedy)]
