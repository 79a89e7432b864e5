"""A matrix folder as a table: figures are those of `compare`, and what is missing is told."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest

from vietmer_core.ablation.results import read_matrix
from vietmer_core.ablation_results.groups import read_groups
from vietmer_core.ablation_results.results import results
from vietmer_core.ablation_results.showing import groups_table, missing_table
from vietmer_core.ablation_results.wording import conclusions_of, notes_of
from vietmer_core.comparison.comparing import compare_systems
from vietmer_core.comparison.corrections import holm
from vietmer_core.comparison.pairs import compare_pair
from vietmer_core.errors import RunError
from vietmer_core.evaluation.intervals import clustered_intervals
from vietmer_core.evaluation.outcomes import read_outcomes

WriteMatrix = Callable[..., Path]


def planted(levels: Mapping[str, str]) -> float:
    return {"mean": 0.0, "max": 0.0, "attn": 2.5}[levels["pooler"]]


def test_the_figures_are_those_of_compare(write_matrix: WriteMatrix) -> None:
    path = write_matrix(effect=planted)
    found = results(path)
    systems = [group.system for group in read_groups(read_matrix(path)).groups]
    whole = [system for system in systems if system is not None]
    wanted = compare_systems(whole, base="fusion=xattn, pooler=mean")
    by_name = {pair.first: pair for pair in wanted.pairs}
    for row, scores in zip(found.rows, wanted.systems, strict=True):
        assert row.scores == scores
        assert row.pair == by_name.get(row.name)
    assert found.best is not None
    (best,) = [system for system in whole if system.name == found.best.name]
    for other in whole:
        if other is not best:
            assert found.best.p[other.name] == min(1.0, 5 * compare_pair(other, best).p)


def test_a_cell_with_one_seed_has_the_scores_that_evaluate_wrote(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(seeds=("4",)))
    for row, cell in zip(found.rows, found.matrix.cells, strict=True):
        assert row.scores is not None
        score = row.scores.scores["macro_f1"]
        assert score.mean == pytest.approx(cell.scores()["macro_f1"], abs=1e-12)
        interval = clustered_intervals(read_outcomes(cell.predictions_path), seed=0)["macro_f1"]
        assert (score.interval.low, score.interval.high) == pytest.approx((interval.low, interval.high))


def test_the_means_are_over_the_seeds(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix())
    cells = found.matrix.cells
    for row in found.rows:
        own = [cell.scores()["macro_f1"] for cell in cells if found.matrix.kind_of(cell) == row.levels]
        assert row.scores is not None
        assert row.scores.scores["macro_f1"].mean == pytest.approx(np.mean(own))
        assert row.scores.scores["macro_f1"].deviation == pytest.approx(np.std(own, ddof=1))


def test_the_order_of_rows_in_files_changes_nothing(write_matrix: WriteMatrix) -> None:
    path = write_matrix(seeds=("0", "1"))
    before = results(path)
    for cell in read_matrix(path).cells[::2]:
        lines = cell.predictions_path.read_text(encoding="utf-8").splitlines(keepends=True)
        cell.predictions_path.write_text("".join(reversed(lines)), encoding="utf-8")
    after = results(path)
    assert [row.pair for row in after.rows] == [row.pair for row in before.rows]
    assert after.effects == before.effects
    assert after.ranks == before.ranks


def test_missing_and_failed_cells_are_told_with_their_reason(write_matrix: WriteMatrix) -> None:
    def failure(levels: Mapping[str, str]) -> str:
        if levels["pooler"] == "max" and levels["seed"] == "1":
            return "the loss must be finite."
        return "pending" if (levels["fusion"], levels["pooler"]) == ("late", "attn") else ""

    found = results(write_matrix(failure=failure))
    reasons = {cell.title: (cell.status, cell.reason) for cell in found.missing}
    assert reasons["fusion=xattn, pooler=max, seed=1"] == ("failed", "failed: the loss must be finite.")
    assert reasons["fusion=late, pooler=attn, seed=0"] == ("pending", "has not run to its end yet")
    assert len(found.missing) == 5
    rows = {row[:2]: row[2:] for row in groups_table(found).rows}
    assert rows["xattn", "max"][0] == "2 of 3"
    assert rows["late", "attn"][:3] == ("0 of 3", "pending", "–")
    assert len(missing_table(found).rows) == 5
    assert any(note.startswith("5 cells of 18 have no score") for note in notes_of(found))
    assert found.effects is not None
    assert not found.effects.is_balanced


def test_a_cell_with_damaged_predictions_is_unusable_and_the_others_stand(write_matrix: WriteMatrix) -> None:
    path = write_matrix()
    broken, changed, gone = read_matrix(path).cells[:3]
    broken.predictions_path.write_text("{not JSON\n", encoding="utf-8")
    lines = changed.predictions_path.read_text(encoding="utf-8").splitlines(keepends=True)
    changed.predictions_path.write_text("".join(lines[:-1]), encoding="utf-8")
    (gone.run.evaluation_path("test") / "scores.json").unlink()
    found = results(path)
    assert [cell.status for cell in found.missing] == ["unusable"] * 3
    assert all(str(path) in cell.reason for cell in found.missing)
    assert "the predictions are not those of its scores.json" in found.missing[1].reason
    assert found.reference is not None
    assert found.reference.scores is None
    assert "The reference has no score, so that nothing is compared with it." in conclusions_of(found)


def test_four_speakers_allow_no_finding_and_the_words_say_so(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(num_speakers=4, effect=planted))
    text = " ".join(conclusions_of(found))
    assert "4 speakers allow no p below 0.125, and none below 0.625 after Holm's correction" in text
    assert "Whether any of the other 5 is worse cannot be told, however large the difference" in text
    assert "leave out 0. They suppose that speakers differ as a normal distribution does" in text
    assert any(note.startswith("4 speakers are few.") for note in notes_of(found))
    assert all(row.standing for row in found.rows)


def test_with_enough_speakers_worse_groups_are_told_from_the_best(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(num_speakers=12, num_utterances=240, effect=planted))
    assert found.best is not None
    standing = {row.levels["pooler"]: row.standing for row in found.rows}
    assert standing["mean"] == standing["max"] == ""
    assert all("pooler=attn" in name for name in found.best.possible)
    pairs = [] if found.comparison is None else found.comparison.pairs
    assert [pair.p_holm for pair in pairs] == holm([pair.p for pair in pairs])


def test_folds_are_joined_and_seeds_are_not(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(folds=("1", "2", "3"), seeds=("0", "1")))
    assert found.folds == ("fold",)
    assert found.num_utterances == 96
    for row in found.rows:
        assert row.scores is not None
        assert (row.num_replicates, len(row.scores.seeds), row.scores.num_folds) == (2, 2, 3)


def test_a_replicate_without_one_of_its_folds_is_left_out(write_matrix: WriteMatrix) -> None:
    def failure(levels: Mapping[str, str]) -> str:
        lost = {"fusion": "xattn", "pooler": "mean", "seed": "1", "fold": "2"}
        return "lost its worker." if levels == lost else ""

    found = results(write_matrix(folds=("1", "2"), seeds=("0", "1"), failure=failure))
    assert found.rows[0].scores is not None
    assert found.rows[0].scores.seeds == (0,)
    assert len(found.missing) == 1


def test_a_group_that_tested_something_else_is_compared_with_none(write_matrix: WriteMatrix) -> None:
    path = write_matrix()
    for cell in read_matrix(path).cells:
        if (cell.levels["fusion"], cell.levels["pooler"]) == ("late", "max"):
            text = cell.predictions_path.read_text(encoding="utf-8").replace('"utterance_0', '"other_0')
            cell.predictions_path.write_text(text, encoding="utf-8")
    found = results(path)
    (apart,) = [row for row in found.rows if row.apart]
    assert apart.name == "fusion=late, pooler=max"
    assert apart.pair is None
    assert apart.scores is not None
    assert "the test sets differ" in apart.apart
    assert found.effects is not None
    assert found.effects.num_groups == 5


def test_a_matrix_that_has_not_begun_has_no_figures(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(failure=lambda levels: "pending" if levels else ""))
    assert list(conclusions_of(found)) == ["No cell has a score yet."]
    assert found.scored == ()
    assert found.effects is None


def test_one_axis_two_groups_and_one_speaker(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix({"fusion": ("xattn", "late")}, seeds=("0",), num_speakers=1))
    assert found.ranks is None
    assert found.effects is not None
    assert found.effects.effects[0].p is None
    assert "One speaker says nothing of others: there is no interval and no test." in notes_of(found)


def test_cautions_name_the_split_the_leak_and_the_protocol(write_matrix: WriteMatrix) -> None:
    notes = list(notes_of(results(write_matrix(protocol=None, audit="leak", seeds=("0",)))))
    assert notes[0].startswith("The splits leak")
    assert notes[1] == "The manifests do not say how the corpus was split."
    assert any("With one replicate" in note for note in notes)


def test_an_unknown_metric_or_folder_is_one_sentence(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the metric must be one of macro_f1"):
        results(write_matrix(), metric="f1")
    with pytest.raises(RunError, match=r"holds no matrix, since it has no `matrix\.json`"):
        results(tmp_path / "nothing")


def test_of_a_loss_the_lowest_is_the_best(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(effect=planted), metric="loss")
    means = [row.scores.scores["loss"].mean for row in found.scored if row.scores is not None]
    assert means == sorted(means)
    assert found.scored[0].standing == "highest"
    assert "has the lowest loss" in next(conclusions_of(found))


def test_the_json_holds_plain_values_alone(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(num_speakers=4))
    text = json.dumps(found.as_json(), allow_nan=False)
    assert json.loads(text)["groups"][0]["macro_f1"] == found.rows[0].scores.scores["macro_f1"].mean  # type: ignore[union-attr]  # it has scores


def test_the_data_frames_have_a_row_for_each_group_and_cell(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix(failure=lambda levels: "lost." if levels["seed"] == "2" else ""))
    frame, cells = found.frame(), found.cells()
    assert list(frame.columns[:2]) == ["fusion", "pooler"]
    assert frame["macro_f1"].tolist() == [
        row.scores.scores["macro_f1"].mean for row in found.rows if row.scores is not None
    ]
    assert len(cells) == 18
    assert cells["status"].value_counts().to_dict() == {"finished": 12, "failed": 6}


def test_a_table_that_forgets_a_group_would_be_seen(write_matrix: WriteMatrix) -> None:
    found = results(write_matrix())
    assert len(groups_table(found).rows) == len(found.rows)
    assert len(groups_table(attrs.evolve(found, rows=found.rows[1:])).rows) != len(found.rows)
