"""How scores are printed: names are text, whatever they hold."""

import io

import attrs
import pytest
from rich.console import Console
from rich.errors import MarkupError
from rich.table import Table

from tests.unit.evaluation.drawn import some_outcomes
from vietmer_core.cli import scores_view
from vietmer_core.evaluation.metrics import score
from vietmer_core.evaluation.subgroups import subgroups

NAMES = ("[bold]", "[/b]", "plain")


def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def printed(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


def test_labels_and_groups_are_printed_as_they_are() -> None:
    found = some_outcomes(0)
    labels = tuple(NAMES[place % 3] * (1 + place // 3) for place in range(len(found.labels)))
    scores = score(found.probabilities, found.truth, labels)
    values = [NAMES[place % 3] for place in range(len(found))]
    target = console()
    target.print(scores_view._class_table(scores), scores_view._confusion_table(scores))
    scores_view._show_subgroups(target, subgroups(attrs.evolve(found, labels=labels), {"[/field]": values}, seed=0))
    for name in (*labels, *NAMES, "[/field]"):
        assert name in printed(target)


def test_a_name_that_is_not_escaped_is_no_text() -> None:  # the control of the test above
    table = Table("label")
    table.add_row(NAMES[1])
    with pytest.raises(MarkupError):
        console().print(table)


def test_the_training_and_the_validation_split_are_too_good() -> None:
    assert set(scores_view.TOO_GOOD) == {"train", "valid"}
    assert all("report the test split" in sentence for sentence in scores_view.TOO_GOOD.values())
