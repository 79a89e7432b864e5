"""A report says what the files of its runs say, loads nothing, and lets nothing from data be more than text."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.unit.reporting.conftest import LABELS, PROTOCOL, MakeRun, reliance_document, write_run
from tests.unit.reporting.reading import Read
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.comparison.tables import latex_text
from vietmer_core.errors import AssemblyError, RunError
from vietmer_core.reporting.contents import Contents, contents_of
from vietmer_core.reporting.evidence import read_evidence, what_is_missing
from vietmer_core.reporting.page import environment
from vietmer_core.reporting.writing import report_files
from vietmer_core.training.run_folder import RunFolder

HOSTILE = "</p><script>alert('1')</script><img src=x onerror=\"a(2)\"> & $x$_{%}|`tôi`"
NUMBER = re.compile(r"^\d\.\d{3}$")


def contents(*paths: Path) -> Contents:
    return contents_of(paths, split="test", catalogue=installed_catalogue(), worst=5, clips=True, sound_bytes=2**20)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A run with all there is, 28 labels of any letters among them, and the files of its report."""
    labels = [HOSTILE, *(f"cảm xúc số {number} với tên dài $x_{number}$" for number in range(27))]
    document = reliance_document(labels, temperature=0.8, left_out=[{"group": HOSTILE, "reason": HOSTILE}])
    audit = {"verdict": "leak", "leaks": [HOSTILE], "cues": [HOSTILE]}
    path = write_run(
        tmp_path_factory.mktemp("runs"),
        "full",
        name=HOSTILE,
        labels=labels,
        temperature=0.8,
        fields=(HOSTILE, "male"),
        reliance=document,
        scores={"audit": audit},
    )
    return path, report_files(contents(path))


def scores_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "evaluation/test/scores.json").read_text(encoding="utf-8"))
    return found


def check_closed(text: str) -> Read:
    """Every element is closed; nothing is loaded; no handler and no script but the page's own."""
    read = Read(text)
    assert (read.open, read.unclosed) == ([], [])
    assert len(read.named("script")) == 1
    for tag, attributes in read.elements:
        assert tag not in ("img", "iframe", "link", "object", "image")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:audio/")), (tag, value)
    ids = [str(found["id"]) for _, found in read.elements if "id" in found]
    assert len(ids) == len(set(ids))
    anchors = {str(found["href"])[1:] for found in read.named("a")}
    assert anchors <= set(ids)
    assert "default-src 'none'" in text
    assert not re.search(r"url\((?!#)", text)
    return read


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_any_optional_file(make_run: MakeRun) -> None:
    files = report_files(contents(make_run("plain", fields=(), epochs=0)))
    read = check_closed(files["report.html"].decode())
    assert "vietmer reliance plain" in read.text
    assert "not calibrated" in read.text
    assert "no record of its epochs" in read.text
    assert "no field that tells groups" in read.text
    assert "They cannot be shown" in read.text
    assert not any("reliance" in name or "subgroups" in name or "curves" in name for name in files)
    card = files["model_card.md"].decode()
    for heading in ("Intended use", "Metrics", "Ethical considerations", "Limits", "Evaluation data and training data"):
        assert f"## {heading}" in card
    assert "Article 5(1)(f)" in card


def test_every_figure_is_that_of_the_scores(full: tuple[Path, dict[str, bytes]]) -> None:
    scores, files = scores_of(full[0]), full[1]
    read = check_closed(files["report.html"].decode())
    metrics = {row[0]: row for row in read.tables["scores"]}
    for name, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy (WA)"), ("loss", "loss, nats")):
        interval = scores["intervals"][name]
        ends = f"{interval['low']:.3f} to {interval['high']:.3f}"
        assert metrics[title][1:3] == [f"{scores[name]:.3f}", ends]
    for row in read.tables["classes"][1:]:
        found = scores["per_class"][row[0]]
        assert row[1:4] == [f"{found[name]:.3f}" for name in ("precision", "recall", "f1")]
    calibration = {row[0]: row[1:] for row in read.tables["calibration"]}
    assert calibration["ECE"] == [
        f"{part['ece']:.3f}" for part in (scores["calibration"]["uncalibrated"], scores["calibration"])
    ]
    (found,) = scores["subgroups"].values()
    scored = [f"{group['macro_f1']:.3f}" for group in found["groups"].values()]
    assert [row[4] for row in read.tables["subgroups"][1:]] == scored
    assert [row[3] for row in read.tables["reliance"][1:]] == ["0.412"] * 5
    assert read.tables["shares"][1] == ["all", "", "144", "37.5%", "62.5%"]
    assert f'data-score="macro_f1">{scores["macro_f1"]:.3f}<' in files["report.html"].decode()


def test_csv_files_hold_every_digit(full: tuple[Path, dict[str, bytes]]) -> None:
    scores = scores_of(full[0])
    (row,) = csv.DictReader(io.StringIO(full[1]["tables/headline.csv"].decode()))
    assert float(row["macro_f1"]) == scores["macro_f1"]
    assert float(row["macro_f1_low"]) == scores["intervals"]["macro_f1"]["low"]
    assert (row["protocol"], row["audit"]) == (PROTOCOL, "leak")


def test_protocol_and_verdict_stand_beside_every_score(full: tuple[Path, dict[str, bytes]]) -> None:
    stands = f"Split protocol: {PROTOCOL}. Audit: leak."
    for name, content in full[1].items():
        is_score = name.startswith("tables/") and not re.search(r"(data|labels|components)\.|csv$", name)
        if is_score or name.endswith(".svg"):
            assert stands in content.decode(), name


def test_what_comes_from_data_is_only_text(full: tuple[Path, dict[str, bytes]]) -> None:
    read = check_closed(full[1]["report.html"].decode())
    assert HOSTILE in read.text
    card = full[1]["model_card.md"].decode()
    assert "<script" not in card
    assert "<img" not in card
    table = full[1]["tables/classes.tex"].decode()
    assert latex_text(HOSTILE) in table
    assert not re.search(r"(?<!\\)[$%#_]", table)


def test_the_check_itself_sees_a_page_that_does_not_escape() -> None:
    found = environment()
    found.autoescape = False
    with pytest.raises(AssertionError):
        check_closed(found.from_string("<p>{{ name }}</p>").render(name=HOSTILE))


@pytest.mark.usefixtures("undrawn")
def test_several_runs_are_compared_and_named_apart(make_run: MakeRun) -> None:
    paths = [
        make_run("one", seed=0, sharpness=2.5),
        make_run("two", seed=1, sharpness=2.5),
        make_run("weak", name="weak & small", sharpness=0.2),
    ]
    files = report_files(contents(*paths))
    read = check_closed(files["report.html"].decode())
    assert [row[0] for row in read.tables["headline"][1:]] == ["tiny, seed 0", "tiny, seed 1", "weak & small"]
    assert [row[1] for row in read.tables["headline"][1:]] == [f"{scores_of(path)['macro_f1']:.3f}" for path in paths]
    assert len(read.tables["pairs"]) == 2
    assert {"tables/pairs.csv", "figures/systems.svg", "tiny-seed-0-model_card.md"} <= set(files)
    assert "figures/weak-small-confusion.pdf" in files


@pytest.mark.usefixtures("undrawn")
def test_runs_that_cannot_be_compared_are_still_reported(make_run: MakeRun) -> None:
    paths = [make_run("one"), make_run("other", name="other", scores={"data": "another"})]
    read = check_closed(report_files(contents(*paths))["report.html"].decode())
    assert "These runs are not compared: " in read.text
    assert "manifests or recordings differ" in read.text


def test_figures_are_whole_files_with_their_fonts(full: tuple[Path, dict[str, bytes]]) -> None:
    files = {name: content for name, content in full[1].items() if name.startswith("figures/")}
    assert len(files) == 2 * 9
    for name, content in files.items():
        if name.endswith(".pdf"):
            assert content.startswith(b"%PDF-")
            assert content.rstrip().endswith(b"%%EOF")
            assert b"/FontFile2" in content
            assert b"/Type3" not in content
        else:
            root = ET.fromstring(content)  # noqa: S314  # our own
            width = float(str(root.get("width")).removesuffix("pt"))
            assert width == pytest.approx(72 * (7.0 if "confusion" in name else 3.4))
            assert not list(root.iter("{http://www.w3.org/2000/svg}image"))


@pytest.mark.usefixtures("undrawn")
def test_few_speakers_are_marked(make_run: MakeRun) -> None:
    for speakers, words in ((1, "none: one speaker"), (3, "(too few speakers)"), (6, "widened for it")):
        read = check_closed(report_files(contents(make_run(f"s{speakers}", speakers=speakers)))["report.html"].decode())
        assert words in read.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"epoch": 1}, "other weights"),
        ({"data": "another"}, "other utterances"),
        ({"temperature": 2.0}, "before the run was calibrated"),
        ({"version": 9}, "another version"),
    ],
)
def test_reliance_of_something_else_is_not_shown(make_run: MakeRun, change: dict[str, Any], sentence: str) -> None:
    (run,) = read_evidence([make_run("run", reliance=reliance_document(LABELS, **change))], split="test")
    assert run.reliance is None
    assert sentence in run.reliance_fault


@pytest.mark.usefixtures("undrawn")
def test_scores_that_cannot_be_reported_are_named_with_the_remedy(make_run: MakeRun) -> None:
    path = make_run("run")
    folder = RunFolder.open(path)
    file = path / "evaluation/test/scores.json"
    scores = scores_of(path)
    assert what_is_missing(folder, "test") is None
    old = {name: value for name, value in scores.items() if name != "intervals"}
    for text, reason in (
        (json.dumps(old), "earlier version and lacks `intervals`"),
        (json.dumps({**scores, "epoch": 0}), "other weights"),
        ("{", "damaged"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(RunError, match=f"{reason}.*vietmer evaluate .* --split test"):
            contents(path)
    with pytest.raises(RunError, match="no scores of the valid split"):
        read_evidence([path], split="valid")


@pytest.mark.usefixtures("undrawn")
def test_a_run_is_given_once(make_run: MakeRun) -> None:
    path = make_run("run")
    with pytest.raises(AssemblyError, match="given twice"):
        contents(path, path.parent / "." / "run" / ".." / "run")


def test_equal_runs_have_names_of_their_own(make_run: MakeRun) -> None:
    runs = read_evidence([make_run("one"), make_run("two"), make_run("one!", seed=1)], split="test")
    assert [run.title for run in runs] == ["tiny, seed 0 (one)", "tiny, seed 0 (two)", "tiny, seed 1"]
    assert len({run.slug for run in runs}) == 3
