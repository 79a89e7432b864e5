"""Leaderboards: what was tested differently never shares a table, and one bad file takes no other with it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vietmer_core.cli.main import commands
from vietmer_core.comparison.comparing_runs import compare_runs
from vietmer_core.comparison.pairs import compare_pair
from vietmer_core.errors import RunError
from vietmer_core.leaderboard.boards import Board, build_leaderboard
from vietmer_core.leaderboard.entries import entries_of
from vietmer_core.leaderboard.finding import Result, find_results, printable
from vietmer_core.leaderboard.showing import markdown
from vietmer_core.leaderboard.writing import page_html, write_leaderboard

WriteRun = Callable[..., Path]


def boards_of(root: Path) -> tuple[Board, ...]:
    return build_leaderboard(root / "results").boards


def names_of(board: Board) -> list[str]:
    return [line.entry.name for line in board.lines]


def test_seeds_are_one_entry_with_the_figures_of_compare(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run(f"good-{seed}", seed=seed, gain=2.5, name="good") for seed in range(3)]
    runs += [write_run(f"poor-{seed}", seed=seed + 3, gain=0.0, name="poor", pooler="max") for seed in range(3)]
    (board,) = boards_of(tmp_path)
    assert names_of(board) == ["good", "poor"]
    wanted = {system.name: system for system in compare_runs(runs).comparison.systems}
    for line in board.lines:
        score = wanted[line.entry.name].scores["macro_f1"]
        assert line.entry.scores["macro_f1"] == pytest.approx(score.mean, abs=1e-12)
        assert line.entry.deviations["macro_f1"] == pytest.approx(score.deviation)
        assert line.entry.interval == pytest.approx((score.interval.low, score.interval.high))
    assert [line.rank for line in board.lines] == [1, 2]
    assert [line.mark for line in board.lines] == ["first", "below"]
    good, poor = [line.entry.system for line in board.lines]
    assert good is not None
    assert poor is not None
    assert board.lines[1].p == compare_pair(good, poor).p


@pytest.mark.parametrize(
    "changed",
    [
        {"data": "e" * 64},
        {"protocol": "random, seed 0"},
        {"protocol": None},
        {"verdict": "leak"},
        {"verdict": "not audited"},
        {"split": "valid"},
        {"labels": ("angry", "happy", "neutral")},
        {"corpus": "one", "maps": {"sad": "angry"}},
        {"corpus": "one", "maps": {"sad": "angry"}, "has_predictions": False},
    ],
)
def test_what_was_tested_differently_has_a_table_of_its_own(
    write_run: WriteRun, tmp_path: Path, changed: dict[str, object]
) -> None:
    write_run("one")
    write_run("other", seed=1, **changed)
    boards = boards_of(tmp_path)
    assert [len(board.lines) for board in boards] == [1, 1]
    assert boards[0].key.standing == "audited"
    assert boards[0].key.split == "test"


def test_tables_of_tests_come_first_and_of_these_the_audited(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("a", split="valid", seed=4)
    write_run("b", verdict="leak", seed=3)
    write_run("c", verdict="not audited", seed=2)
    write_run("d", protocol=None, seed=1)
    write_run("e")
    boards = boards_of(tmp_path)
    assert [(board.key.split, board.key.standing) for board in boards] == [
        ("test", "audited"),
        ("test", "no protocol"),
        ("test", "not audited"),
        ("test", "leak"),
        ("valid", "audited"),
    ]
    text = markdown(build_leaderboard(tmp_path / "results"), title="All")
    for marked in (
        "test split, LEAK FOUND",
        "test split, NOT AUDITED",
        "test split, NO PROTOCOL",
        "chose the checkpoints",
    ):
        assert marked in text


def test_two_orders_of_one_label_space_share_a_table(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("one", gain=2.0)
    write_run("other", labels=("sad", "angry", "happy"), gain=2.0, seed=1, name="turned")
    (board,) = boards_of(tmp_path)
    assert len(board.lines) == 2
    assert all(line.mark for line in board.lines)


def test_ranks_do_not_depend_on_the_order_in_which_runs_are_found(write_run: WriteRun, tmp_path: Path) -> None:
    for number in range(4):
        write_run(f"run{number}", seed=number, gain=0.5 * number, name=f"system{number}", pooler=f"p{number}")
    found = [result for result in find_results(tmp_path / "results") if isinstance(result, Result)]
    wanted = {entry.name: dict(entry.scores) for entry in entries_of(found)[0]}

    @given(order=st.permutations(range(4)))
    def holds(order: list[int]) -> None:
        entries, faults = entries_of([found[index] for index in order])
        assert {entry.name: dict(entry.scores) for entry in entries} == wanted
        assert not faults

    holds()
    mixed = [attrs.evolve(one, name="system0") for one in found]  # a counter-example: names that went to other runs
    assert {entry.name for entry in entries_of(mixed)[0]} != set(wanted)


def test_a_bad_file_is_named_and_the_others_are_listed(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("whole")
    broken = [write_run(f"broken{number}", seed=number + 1) for number in range(6)]
    (broken[0] / "evaluation" / "test" / "scores.json").write_text("{", encoding="utf-8")
    (broken[1] / "evaluation" / "test" / "scores.json").write_text('{"macro_f1": "high"}', encoding="utf-8")
    (broken[2] / "predictions" / "test.jsonl").write_text("nonsense\n", encoding="utf-8")
    (broken[3] / "spec.yaml").unlink()
    (broken[4] / "status.json").write_text('{"best_epoch": 9}', encoding="utf-8")
    text = (broken[5] / "evaluation" / "test" / "scores.json").read_text(encoding="utf-8")
    scores = json.loads(text) | {"accuracy": 0.99}
    (broken[5] / "evaluation" / "test" / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    found = build_leaderboard(tmp_path / "results")
    assert [names_of(board) for board in found.boards] == [["fused"]]
    assert len(found.faults) == 6
    for run in broken:
        assert sum(str(run) in fault for fault in found.faults) == 1


def test_without_predictions_there_is_a_score_and_no_mark(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("one", gain=2.0, name="one")
    write_run("bare", seed=1, gain=0.5, name="bare", has_predictions=False)
    (board,) = boards_of(tmp_path)
    bare = next(line for line in board.lines if line.entry.name == "bare")
    assert bare.entry.interval == (0.25, 0.75)
    assert bare.mark == ""
    assert any(note.startswith("1 of 2 entries have no predictions") for note in board.notes)


def test_a_copy_is_left_out_and_a_repeated_seed_is_another_entry(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run("one")
    shutil.copytree(run, run.parent / "two")
    write_run("three", noise=99)
    found = build_leaderboard(tmp_path / "results")
    (board,) = found.boards
    assert sorted(names_of(board)) == ["fused (one)", "fused (three)"]
    assert found.faults == ("two: is a copy of one, test split, and is left out.",)


def test_folds_are_joined_and_a_missing_one_is_told(write_run: WriteRun, tmp_path: Path) -> None:
    protocol = "3 folds, speaker-disjoint, seed 0"
    for fold in range(3):
        part = range(fold, 60, 3)
        write_run(f"whole{fold}", data=str(fold) * 64, protocol=protocol, utterances=part, name="whole")
        if fold:
            write_run(f"part{fold}", data=str(fold) * 64, protocol=protocol, utterances=part, name="part", pooler="max")
    found = build_leaderboard(tmp_path / "results")
    (board,) = found.boards
    assert names_of(board) == ["whole"]
    assert board.num_utterances == 60
    assert len(board.key.data) == 3
    (fault,) = found.faults
    assert "there are runs of 2 folds, but `3 folds, speaker-disjoint, seed 0` has 3" in fault


@pytest.mark.parametrize("protocol", ["3 folds, speaker-disjoint, seed 0", "leave-one-speaker-out, seed 0"])
def test_folds_of_two_corpora_that_were_split_alike_are_two_entries(
    write_run: WriteRun, tmp_path: Path, protocol: str
) -> None:
    for corpus, first in (("one", 0), ("two", 60)):
        for fold in range(3):
            part = range(first + fold, first + 60, 3)
            write_run(f"{corpus}{fold}", data=f"{corpus}{fold}", protocol=protocol, utterances=part, corpus=corpus)
    found = build_leaderboard(tmp_path / "results")
    assert not found.faults
    assert [[len(line.entry.runs) for line in board.lines] for board in found.boards] == [[3], [3]]
    assert {board.num_utterances for board in found.boards} == {60}


def test_folds_of_two_corpora_are_not_joined_where_each_lacks_some(write_run: WriteRun, tmp_path: Path) -> None:
    protocol = "5 folds, speaker-disjoint, seed 0"
    for corpus, first, count in (("one", 0, 3), ("two", 60, 2)):
        for fold in range(count):
            part = range(first + fold, first + 60, 5)
            write_run(f"{corpus}{fold}", data=f"{corpus}{fold}", protocol=protocol, utterances=part, corpus=corpus)
    found = build_leaderboard(tmp_path / "results")
    assert not found.boards
    assert sorted(number for number in (2, 3, 5) for fault in found.faults if f"runs of {number} folds" in fault) == [
        2,
        3,
    ]


def test_seeds_of_a_corpus_that_was_copied_are_one_entry(write_run: WriteRun, tmp_path: Path) -> None:
    protocol = "leave-one-speaker-out, seed 0"
    for seed, corpus in enumerate(("here", "there")):
        for fold in range(3):
            own = {"corpus": corpus, "seed": seed, "utterances": range(fold, 60, 3)}
            write_run(f"{corpus}{fold}", data=str(fold) * 64, protocol=protocol, **own)
    (board,) = build_leaderboard(tmp_path / "results").boards
    assert [len(line.entry.runs) for line in board.lines] == [6]


def test_few_speakers_tell_nothing_and_a_note_says_so(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("one", gain=4.0, name="one", num_speakers=4)
    write_run("two", seed=1, gain=0.0, name="two", pooler="max", num_speakers=4)
    (board,) = boards_of(tmp_path)
    assert board.lines[1].mark == "not distinguishable"
    assert any(note.startswith("4 speakers allow no p below 0.125") for note in board.notes)


def test_equal_scores_share_a_rank(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("one", name="one", noise=5)
    write_run("two", name="two", pooler="max", noise=5)
    write_run("worst", name="worst", pooler="min", gain=-3.0)
    (board,) = boards_of(tmp_path)
    assert [(line.rank, line.entry.name) for line in board.lines] == [(1, "one"), (1, "two"), (3, "worst")]


def test_hostile_names_stay_text(write_run: WriteRun, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)> | [a](javascript:b) \x1b[31m\n# top \u202e"
    write_run("bad", name=hostile, protocol=f"{hostile} protocol")
    found = build_leaderboard(tmp_path / "results")
    page, text = page_html(found, title=hostile), markdown(found, title=hostile)
    assert "<img" not in page
    assert "<img" not in text
    assert "[a](" not in text
    for shown in (page, text):
        assert "\x1b" not in shown
    (line,) = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert "\\|" in line
    assert "\u202e" not in line
    assert printable("a\x1bb\nc") == "a�b�c"


def test_the_same_results_give_the_same_bytes(write_run: WriteRun, tmp_path: Path) -> None:
    for seed in range(3):
        write_run(f"run{seed}", seed=seed)
    made = []
    for name in ("first", "second"):
        found = build_leaderboard(tmp_path / "results")
        folder = write_leaderboard(found, tmp_path / name, title="All").parent
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {"index.html", "leaderboard.md", "leaderboard.json"}


def test_a_cell_is_named_by_its_matrix_and_shared_levels(write_run: WriteRun, tmp_path: Path) -> None:
    for seed in range(2):
        run = write_run(f"paired/cells/{seed}/run", seed=seed, name="paired-0123")
        levels = {"fusion": "xattn", "seed": str(seed)}
        (run.parent / "cell.json").write_text(json.dumps({"levels": levels}), encoding="utf-8")
    (board,) = boards_of(tmp_path)
    assert names_of(board) == ["paired: fusion=xattn"]
    assert board.lines[0].entry.seeds == (0, 1)


def test_the_command_writes_three_files_and_leaves_with_0(write_run: WriteRun, tmp_path: Path) -> None:
    write_run("one")
    broken = write_run("broken", seed=1)
    (broken / "spec.yaml").write_text("[", encoding="utf-8")
    result = CliRunner().invoke(commands, ["leaderboard", "build", str(tmp_path / "results")])
    assert result.exit_code == 0, result.output
    assert "1 entries in 1 tables; 1 results are not listed" in result.output
    assert (tmp_path / "results" / "leaderboard" / "index.html").is_file()
    again = CliRunner().invoke(commands, ["leaderboard", "build", str(tmp_path / "results"), "--json"])
    assert json.loads(again.output)["boards"][0]["entries"][0]["name"] == "fused"


def test_no_result_is_an_empty_page_and_no_folder_an_error(tmp_path: Path) -> None:
    found = build_leaderboard(tmp_path)
    assert "No result was found." in page_html(found, title="All")
    assert "No result was found." in markdown(found, title="All")
    with pytest.raises(RunError, match="there is no such folder"):
        build_leaderboard(tmp_path / "nothing")


def test_a_folder_without_an_evaluated_run_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    result = CliRunner().invoke(commands, ["leaderboard", "build", str(tmp_path / "runs")])
    assert result.exit_code == 0
    assert "no run there is evaluated: `vietmer evaluate RUN` scores one." in result.output
