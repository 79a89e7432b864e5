"""`vietmer errors`: a page that opens offline, in which nothing that comes from data is more than text."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, final

import attrs
import numpy as np
import pytest
import soundfile
from jinja2 import Environment, FileSystemLoader

from tests.end_to_end.calling import vietmer
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.error_browser import page
from vietmer_core.error_browser.clips import encoded
from vietmer_core.error_browser.entries import ErrorEntries, speakers_of, worst_entries, worst_rows
from vietmer_core.errors import RunError
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.reliance.measuring import Plan, measure_reliance
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.runs import start_run

HOSTILE = "</p><script>alert('1')</script><img src=x onerror=\"alert(2)\"> & tôi </script>"


@pytest.fixture
def run(workplace: Path) -> TrainedRun:
    """An evaluated run, one of whose test utterances says what no page should do."""
    path = workplace / "corpus" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[0] |= {"transcript": HOSTILE, "speaker_id": HOSTILE}
    rows[1] |= {"wav_path": None}
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    folder, _ = start_run(load_spec([workplace / "spec.yaml"], ["training.epochs=1"]), root=Path("runs"))
    trained = TrainedRun.load(folder.path)
    evaluate_run(trained, "test")
    return trained


def entries_of(folder: RunFolder, *, worst: int = 50) -> ErrorEntries:
    catalogue = installed_catalogue()
    return worst_entries(folder, "test", spec=read_spec(folder, catalogue), catalogue=catalogue, worst=worst)


@final
class Read(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag]


def check_harmless(text: str) -> None:
    """No element or handler but those of the template, and nothing that is loaded."""
    read = Read(text)
    assert not read.named("img")
    assert len(read.named("script")) <= 1
    for _, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert HOSTILE in read.text


def test_the_page_holds_every_utterance_with_its_sound(run: TrainedRun, workplace: Path) -> None:
    measure_reliance(run, "test", Plan(groups=("shares",)))
    result = vietmer("errors", run.folder.path, "--to", workplace / "page.html")
    assert result.exit_code == 0, result.output
    assert "page.html: 6 utterances" in result.output.replace("\n", "")
    text = (workplace / "page.html").read_text(encoding="utf-8")
    check_harmless(text)
    read = Read(text)
    cards = read.named("article")
    assert len(cards) == 6
    assert [float(card["data-loss"] or 0) for card in cards] == sorted(
        (float(card["data-loss"] or 0) for card in cards), reverse=True
    )
    sounds = [re.fullmatch(r"data:audio/(?:mpeg|flac);base64,(.*)", str(found["src"])) for found in read.named("audio")]
    assert len(sounds) == 5
    heard = []
    for found in sounds:
        assert found is not None
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found.group(1))))
        heard.append(len(samples) / rate)
    shown = [float(card["data-duration"] or 0) for card in cards if float(card["data-duration"] or 0)]
    assert heard == pytest.approx(shown, abs=0.06)
    assert read.text.count("leans") == 6
    assert "Content-Security-Policy" in text
    assert not re.search(r"https?://", text)


def test_a_template_that_does_not_escape_is_caught(run: TrainedRun) -> None:
    """The counter-example."""
    found = entries_of(run.folder)
    check_harmless(page.entries_html(found))
    careless = Environment(loader=FileSystemLoader(page.FOLDER), autoescape=False)  # noqa: S701  # that is the point
    text = careless.get_template("entries.html.j2").render(found=found, speakers=speakers_of(found.entries))
    with pytest.raises(AssertionError):
        check_harmless(text)


def test_sound_that_cannot_be_read_is_told_in_its_place(run: TrainedRun, workplace: Path) -> None:
    (workplace / "corpus" / "audio" / "test_02.wav").write_bytes(b"RIFF")
    (run.folder.evaluation_path("test") / "scores.json").unlink()
    result = vietmer("errors", run.folder.path)
    assert result.exit_code == 0
    assert "the sound of 1 is missing" in result.output
    text = Read((run.folder.evaluation_path("test") / "errors.html").read_text(encoding="utf-8")).text
    assert "test_02.wav" in text
    assert vietmer("errors", run.folder.path, "--no-sound").exit_code == 0


def test_what_is_of_earlier_weights_is_said(run: TrainedRun) -> None:
    assert entries_of(run.folder).outdated == ()
    evaluation = run.folder.evaluation_path("test")
    run.folder.write_json("evaluation/test/reliance.json", {"epoch": 0})
    (evaluation / "shares.jsonl").write_text(json.dumps({"utterance_id": "gone"}) + "\n", encoding="utf-8")
    run.folder.write_json("status.json", {**run.folder.read_status(), "best_epoch": 3})
    predictions, shares = entries_of(run.folder).outdated
    command = "--split test` again."
    assert predictions.startswith("The predictions are of earlier weights")
    assert shares.startswith("The shares of text and audio are of earlier weights")
    assert predictions.endswith(command)
    assert shares.endswith(command)
    result = vietmer("errors", run.folder.path, "--no-sound")
    assert predictions in " ".join(result.output.split())
    assert "of earlier weights" in Read((evaluation / "errors.html").read_text(encoding="utf-8")).text


def test_mistakes_are_sentences(run: TrainedRun, workplace: Path) -> None:
    with pytest.raises(RunError, match="holds no predictions of `train`"):
        vietmer("errors", run.folder.path, "--split", "train")
    with pytest.raises(RunError, match="no split `dev`"):
        vietmer("errors", run.folder.path, "--split", "dev")
    with pytest.raises(RunError, match="cannot be written"):
        vietmer("errors", run.folder.path, "--to", workplace / "spec.yaml" / "page.html")
    path = workplace / "corpus" / "test.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("tôi", "bạn"), encoding="utf-8")
    with pytest.raises(RunError, match="has changed since it was evaluated"):
        vietmer("errors", run.folder.path)


def outcomes(seed: int = 0) -> Outcomes:
    numbers = np.random.default_rng(seed)
    probabilities = numbers.dirichlet([1.0, 1.0, 1.0], size=40)
    truth = numbers.integers(3, size=40)
    return Outcomes(labels=("a", "b", "c"), probabilities=probabilities, truth=truth, clusters=np.arange(40))


def test_the_worst_are_the_worst_by_loss_and_the_surest_errors() -> None:
    given = outcomes()
    true = given.probabilities[np.arange(40), given.truth]
    chosen = worst_rows(given, worst=5).tolist()
    assert set(np.argsort(true)[:5].tolist()) <= set(chosen)
    surest = max((row for row in range(40) if not given.hits[row]), key=lambda row: given.confidence[row])
    assert surest in chosen
    assert len(chosen) <= 10
    assert (np.diff(true[chosen]) >= 0).all()
    assert len(worst_rows(given, worst=1000)) == 40


def test_a_clip_is_small_and_as_long_as_what_it_holds() -> None:
    time = np.arange(32_000) / 16_000
    samples = (1.5 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    clip = encoded(samples)
    assert clip.duration == 2.0
    assert len(clip.content) < 20_000
    decoded, rate = soundfile.read(io.BytesIO(clip.content))
    assert rate == 16_000
    assert len(decoded) / rate == pytest.approx(2.0, abs=0.06)


def test_shares_of_another_prediction_are_not_shown(run: TrainedRun) -> None:
    measure_reliance(run, "test", Plan(groups=("shares",)))
    path = run.folder.evaluation_path("test") / "shares.jsonl"
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["predicted"] = "sad" if row["predicted"] == "angry" else "angry"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert all(entry.share is None for entry in entries_of(run.folder).entries)
    assert attrs.evolve(entries_of(run.folder).entries[0], shares=rows[0]).share is not None
