"""From cells to the matrix: common labels, what is lost, what is said; without any model."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scores import macro_f1
from vietmer_core.comparison.tables import as_csv, as_latex, as_markdown
from vietmer_core.crosscorpus.cells import Cell, FailedCell, Place, cell_path, read_cell
from vietmer_core.crosscorpus.entries import entries_of, notes_of
from vietmer_core.crosscorpus.picture import matrix_figure
from vietmer_core.crosscorpus.showing import csv_rows, entries_table, matrix_table
from vietmer_core.errors import DataError, DataProblemsError, Problem, RunError

SPACE = ("angry", "fear", "neutral", "sad")


def make_cell(
    train: str,
    test: str,
    *,
    seed: int = 0,
    knows: Sequence[str] = SPACE,
    has: Sequence[str] = SPACE,
    accuracy: float = 0.7,
    audit: str = "clean",
) -> Cell:
    """A cell of 6 test speakers; a model gives labels that the test split lacks some probability too."""
    generator = np.random.default_rng([seed, *map(ord, train + test)])
    common = tuple(label for label in knows if label in has)
    rows = []
    for index in range(48):
        label = common[index % len(common)]
        right = generator.random() < accuracy
        weights = {name: 0.1 + generator.random() * 0.1 + (right and name == label) for name in knows}
        total = sum(weights.values())
        rows.append(
            {
                "utterance_id": f"{test}_{common[index % len(common)]}_{index:02d}",
                "speaker_id": f"s{index % 6}",
                "label": label,
                "probabilities": {name: weight / total for name, weight in weights.items()},
            }
        )
    return Cell(
        place=Place(train=train, test=test, seed=seed),
        run=f"models/{train}",
        address=f"{train}-{test}-{seed}",
        trained_labels=tuple(knows),
        labels=common,
        data=test,
        protocol="speaker-disjoint",
        audit=audit,
        rows=tuple(rows),
    )


@given(st.integers(0, 1000), st.sets(st.sampled_from(SPACE), min_size=2))
def test_probabilities_among_fewer_labels_keep_their_ratios(seed: int, kept: set[str]) -> None:
    cell = make_cell("a", "b", seed=seed)
    system = cell.as_system(sorted(kept))
    assert set(system.labels) == kept
    assert system.probabilities.sum(axis=-1) == pytest.approx(1)
    by_id = {row["utterance_id"]: row for row in cell.rows}
    for utterance, found in zip(system.utterance_ids, system.probabilities[0], strict=True):
        before = np.array([by_id[utterance]["probabilities"][label] for label in system.labels])
        assert found / found[0] == pytest.approx(before / before[0])
        assert by_id[utterance]["label"] in kept


def test_taking_the_highest_of_all_labels_would_be_caught() -> None:
    """A model that knows a label which the test lacks must not be able to choose it."""
    cell = make_cell("a", "b", has=("angry", "sad"))
    row = {**cell.rows[0], "label": "angry", "probabilities": {"angry": 0.3, "fear": 0.4, "neutral": 0.2, "sad": 0.1}}
    system = attrs.evolve(cell, rows=(row,)).as_system()
    assert system.labels == ("angry", "sad")
    assert system.predicted.tolist() == [[0]]
    assert max(row["probabilities"], key=row["probabilities"].__getitem__) == "fear"


def test_a_model_sure_of_a_label_that_is_absent_is_undecided() -> None:
    cell = make_cell("a", "b", has=("angry", "sad"))
    row = {**cell.rows[0], "label": "sad", "probabilities": {"angry": 0.0, "fear": 1.0, "neutral": 0.0, "sad": 0.0}}
    assert attrs.evolve(cell, rows=(row,)).as_system().probabilities.tolist() == [[[0.5, 0.5]]]


def test_an_entry_is_the_mean_over_seeds() -> None:
    cells = [make_cell("a", "a", seed=seed) for seed in (1, 0)]
    (entry,) = entries_of(cells, names=["a"])
    systems = [cell.as_system() for cell in cells]
    wanted = np.mean([macro_f1(system.truth, system.predicted[0]) for system in systems])
    assert entry.scores is not None
    assert entry.scores.scores["macro_f1"].mean == pytest.approx(wanted)
    assert entry.scores.seeds == (0, 1)
    assert (entry.num_utterances, entry.num_speakers, entry.protocol) == (48, 6, "speaker-disjoint")


def test_what_is_lost_is_counted_over_the_same_labels_and_utterances() -> None:
    own = make_cell("b", "b", accuracy=0.9)
    foreign = make_cell("a", "b", knows=("angry", "fear", "sad"), accuracy=0.4)
    rows = tuple(row for row in own.rows if row["label"] != "neutral")
    foreign = attrs.evolve(
        foreign,
        rows=tuple(
            {**row, "probabilities": other["probabilities"]}
            for row, other in zip(rows, foreign.rows[: len(rows)], strict=True)
        ),
    )
    entry = next(
        entry for entry in entries_of([own, foreign], names=["a", "b"]) if (entry.train, entry.test) == ("a", "b")
    )
    kept, cross = own.as_system(foreign.labels), foreign.as_system()
    assert entry.lost is not None
    assert entry.lost["macro_f1"].value == pytest.approx(
        macro_f1(kept.truth, kept.predicted[0]) - macro_f1(cross.truth, cross.predicted[0])
    )
    assert kept.num_utterances == 36


def test_nothing_is_lost_where_the_own_model_is_missing_or_knows_less() -> None:
    less = [make_cell("b", "b", knows=("angry", "sad")), make_cell("a", "b")]
    assert [entry.lost for entry in entries_of(less, names=["a", "b"])] == [None] * 4


def test_a_failed_cell_leaves_the_others() -> None:
    failed = FailedCell.of(Place(train="a", test="b", seed=3), DataError("b/test.jsonl: there is no such manifest."))
    entries = entries_of([make_cell("a", "a"), failed], names=["a", "b"])
    table = matrix_table(entries, names=["a", "b"])
    assert [row[0] for row in table.rows] == ["a", "b"]
    assert table.rows[0][2] == table.rows[1][1] == "failed"
    assert entries[1].failures == ("seed 3: b/test.jsonl: there is no such manifest.",)
    for text in (as_markdown(table), as_latex(entries_table(entries)), as_csv(csv_rows(entries))):
        assert "a" in text
    figure = matrix_figure(entries, names=["a", "b"], title="t")
    assert sum(text.get_text() == "failed" for text in figure.axes[0].texts) == 3


def test_of_several_problems_the_first_is_the_reason() -> None:
    problems = [Problem(where=f"t.jsonl:{line}", message="has no audio.") for line in (1, 2)]
    failed = FailedCell.of(Place(train="a", test="b", seed=0), DataProblemsError("2 rows cannot be used:", problems))
    assert failed.reason == "2 rows cannot be used; the first: t.jsonl:1: has no audio."


def test_fewer_labels_leaks_and_few_speakers_are_said() -> None:
    cells = [make_cell("a", "a"), make_cell("a", "b", has=("angry", "sad"), audit="leak")]
    notes = list(notes_of(entries_of(cells, names=["a", "b"]), space=SPACE))
    assert notes[0].startswith("scored over angry, sad alone, since one of the two corpora lacks fear, neutral: a → b.")
    assert notes[1].startswith("leaks from training to test: a → b.")
    assert notes[2] == "few test speakers, so that intervals are wide: a (6), b (6)."


def test_a_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    cell = make_cell("a", "b")
    assert read_cell(tmp_path, cell.address, place=cell.place) is None
    cell.write(tmp_path)
    assert read_cell(tmp_path, cell.address, place=cell.place) == cell
    cell_path(tmp_path, cell.address).write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="Remove the file, and it is computed again"):
        read_cell(tmp_path, cell.address, place=cell.place)
