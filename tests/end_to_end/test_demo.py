"""`vietmer demo`, shortened: two epochs instead of all."""

import html.parser
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from tests.scores import macro_f1
from vietmer_core.cli.main import commands
from vietmer_core.demo import running
from vietmer_core.errors import RunError

pytestmark = pytest.mark.slow


class Links(html.parser.HTMLParser):
    """Everything that a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "href", "xlink:href") if tag != "use" else ()
        self.found += [value for name, value in attrs if name in names and value and tag != "a"]


@pytest.fixture(scope="module")
def short_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Result]]:
    """One run of the demo for all tests: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    spec = running.SPEC_FILE.read_text(encoding="utf-8").replace("epochs: 24", "epochs: 2")
    assert "epochs: 2," in spec
    (folder / "demo.yaml").write_text(spec, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "SPEC_FILE", folder / "demo.yaml")
        patch.chdir(folder)
        yield folder, CliRunner().invoke(commands, ["demo", "--report", "page.html"])


def test_the_demo_prints_the_scores_of_its_three_models(short_demo: tuple[Path, Result]) -> None:
    folder, result = short_demo
    assert result.exit_code == 0, result.output
    assert "synthetic" in result.output
    runs = sorted(path.parent.name for path in (folder / "runs").glob("*/provenance.json"))
    assert "audit: " in result.output
    assert [name[: name.index("-2")] for name in runs] == ["demo-audio-only", "demo-text-only", "demo-xattn"]
    for run in runs:
        lines = (folder / "runs" / run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert len(rows) == 192
        labels = sorted({row["label"] for row in rows})
        truth = np.array([labels.index(row["label"]) for row in rows])
        predicted = np.array([labels.index(row["predicted"]) for row in rows])
        assert f"{macro_f1(truth, predicted):.3f}" in result.output


def test_the_utterance_classified_is_a_file_of_its_own(short_demo: tuple[Path, Result]) -> None:
    folder, _ = short_demo
    samples, rate = soundfile.read(folder / "runs" / "demo-utterance.wav")
    assert rate == 16_000
    assert 1 <= len(samples) / rate <= 6


def test_the_report_opens_offline(short_demo: tuple[Path, Result]) -> None:
    folder, _ = short_demo
    page = (folder / "page.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert [link for link in links.found if not link.startswith(("data:", "#"))] == []
    assert page.count("<svg") == 6
    assert "The speech is synthetic." in page
    assert "data:audio/wav;base64," in page


def test_the_shipped_spec_names_a_model_for_each_fusion() -> None:
    for fusion, _ in running.FUSIONS:
        spec = running.demo_spec(fusion)
        assert spec.kind("fusion") == fusion
        assert math.isclose(spec.training.learning_rate, 1e-3)


def test_a_report_that_cannot_be_written_is_refused_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    where = ["--report", str(tmp_path / "file" / "page.html"), "--runs", str(tmp_path / "runs")]
    result = CliRunner().invoke(commands, ["demo", *where])
    assert isinstance(result.exception, RunError)
    assert not (tmp_path / "runs").exists()
