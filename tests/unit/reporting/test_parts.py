"""The parts of a report alone: the limit of sound, escaping, paths; and its command."""

from pathlib import Path

import pytest

from tests.end_to_end.calling import vietmer
from tests.unit.reporting.conftest import MakeRun
from tests.unit.reporting.test_report import HOSTILE, contents, scores_of
from vietmer_core.comparison.tables import TextTable
from vietmer_core.error_browser.clips import Clip
from vietmer_core.error_browser.entries import ErrorEntries, ErrorEntry
from vietmer_core.errors import EXIT_USAGE, RunError
from vietmer_core.reporting.card import markdown_text
from vietmer_core.reporting.made_with import short_path
from vietmer_core.reporting.page import coded
from vietmer_core.reporting.report_table import ReportTable
from vietmer_core.reporting.worst import limited
from vietmer_core.reporting.writing import write_report


def entry(loss: float, size: int) -> ErrorEntry:
    return ErrorEntry(
        utterance_id=f"u{loss}",
        speaker_id=None,
        label="a",
        predicted="b",
        loss=loss,
        probabilities={"a": 0.2, "b": 0.8},
        transcript=HOSTILE,
        duration=1.0,
        place="x:1",
        clip=Clip(media_type="audio/mpeg", content=b"x" * size, duration=1.0),
    )


def test_sound_stops_at_the_limit_over_all_runs() -> None:
    one = ErrorEntries(
        name="n",
        run="r",
        split="test",
        labels=("a", "b"),
        num_utterances=9,
        num_wrong=9,
        entries=(entry(3, 400), entry(2, 700), entry(1, 500)),
    )
    (first, gone, second), budget = limited([one, "gone", one], limit=1000)
    assert isinstance(first, ErrorEntries)
    assert isinstance(second, ErrorEntries)
    assert gone == "gone"
    assert [found.clip is not None for found in first.entries] == [True, False, True]
    assert [found.clip is not None for found in second.entries] == [False, False, False]
    assert (budget.used, budget.num_left_out) == (900, 4)


def test_tables_are_escaped_in_each_language() -> None:
    table = TextTable(title="F1 & more", columns=("a_b", "c"), rows=(("x|y", "50%"),))
    files = ReportTable(name="t", table=table, rows=[{"a": 1.25}], of="run_1", note="Audit: clean.").files()
    assert files["t.tex"].count(r"run\_1: F1 \& more. Audit: clean.") == 1
    assert r"x|y & 50\%" in files["t.tex"]
    assert r"x\|y" in files["t.md"]
    assert files["t.csv"] == "a\n1.25\n"
    assert markdown_text("a_b <i> `c`\nd") == r"a\_b &lt;i&gt; \`c\` d"
    assert coded("`a<b` & c") == "<code>a&lt;b</code> &amp; c"


def test_paths_of_the_machine_do_not_leave_it() -> None:
    assert short_path("/home/someone/data/corpus/train.jsonl") == "…/corpus/train.jsonl"
    assert short_path("corpus/train.jsonl") == "corpus/train.jsonl"


@pytest.mark.usefixtures("undrawn")
def test_the_command_writes_and_says_where(make_run: MakeRun, tmp_path: Path) -> None:
    path = make_run("run")
    result = vietmer("report", path, "--to", tmp_path / "out", "--no-evaluate")
    assert result.exit_code == 0, result.output
    assert f"macro-F1 {scores_of(path)['macro_f1']:.3f}" in result.output
    assert "Audit: leak" in result.output
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    assert vietmer("report", path).exit_code == 0
    assert (path / "evaluation/test/report/report.html").is_file()
    with pytest.raises(RunError, match="no scores of the valid split"):
        vietmer("report", path, "--split", "valid", "--no-evaluate")
    with pytest.raises(RunError, match="no such run folder"):
        vietmer("report", tmp_path / "none")
    assert vietmer("report", path, "--split", "all").exit_code == 2


@pytest.mark.usefixtures("undrawn")
def test_runs_of_one_spec_and_seed_are_compared_each_by_itself(make_run: MakeRun, tmp_path: Path) -> None:
    arguments = ("report", make_run("one"), make_run("two"), "--to", tmp_path / "out", "--no-evaluate")
    assert "not compared" in vietmer(*arguments).output
    assert "not compared" not in vietmer(*arguments, "--each").output
    assert (tmp_path / "out/tables/pairs.csv").is_file()


@pytest.mark.usefixtures("undrawn")
def test_a_folder_that_cannot_be_written_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert vietmer("report", make_run("run"), "--to", tmp_path / "file").exit_code == EXIT_USAGE
    with pytest.raises(RunError, match="cannot be written"):
        write_report(tmp_path / "file", contents(make_run("again")))
