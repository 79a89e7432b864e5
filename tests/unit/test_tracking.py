"""What trackers share: named numbers, a flat spec, and what a run that continues has kept."""

import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from vietmer_core.plugins import observer_fault
from vietmer_core.records import EpochRecord, StepRecord
from vietmer_core.testing.run_records import epoch_record, killed_at, records, run_record, step_record, take_steps
from vietmer_core.tracking import epoch_scalars, flat_spec, kept_records, step_scalars


def write_metrics(folder: Path, last: int) -> None:
    lines = [
        json.dumps({"record": "step" if isinstance(record, StepRecord) else "epoch", **attrs.asdict(record)}) + "\n"
        for record in records(range(1, last + 1))
    ]
    (folder / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")


def test_a_step_has_its_numbers_by_name() -> None:
    assert step_scalars(step_record(4)) == {
        "step/loss": 0.25,
        "step/gradient_norm": 4.0,
        "step/learning_rate": 0.001,
        "step/utterances_per_second": 16.0,
        "step/padding_efficiency": 0.75,
        "step/memory_mib": 2.0,
    }
    assert step_scalars(attrs.evolve(step_record(4), seconds=0.0))["step/utterances_per_second"] == 0.0


def test_an_epoch_has_its_numbers_by_name() -> None:
    assert epoch_scalars(epoch_record(1)) == {"train/loss": 0.5, "valid/macro_f1": 0.2, "valid/loss": 1.0}


@pytest.mark.parametrize(("after", "first_step", "steps", "epochs"), [(0, 4, [1, 2, 3, 4], [0]), (3, 5, [4, 5], [])])
def test_what_was_kept_are_the_records_of_the_run_folder(
    tmp_path: Path, after: int, first_step: int, steps: list[int], epochs: list[int]
) -> None:
    write_metrics(tmp_path, 7)
    kept = list(kept_records(run_record(tmp_path, first_step=first_step), after=after))
    assert [record for record in kept if isinstance(record, StepRecord)] == [step_record(step) for step in steps]
    assert [record for record in kept if isinstance(record, EpochRecord)] == [epoch_record(epoch) for epoch in epochs]


def test_an_epoch_that_will_be_scored_again_is_not_kept(tmp_path: Path) -> None:
    """The checkpoint of its last step was written, its score told, and then the run was killed."""
    write_metrics(tmp_path, 3)
    again = kept_records(run_record(tmp_path, first_step=3, first_epoch=0), after=0)
    assert not any(isinstance(record, EpochRecord) for record in again)
    scored = kept_records(run_record(tmp_path, first_step=3, first_epoch=1), after=0)
    assert sum(isinstance(record, EpochRecord) for record in scored) == 1


def test_a_new_run_has_kept_nothing(tmp_path: Path) -> None:
    assert list(kept_records(run_record(tmp_path), after=0)) == []


def test_a_record_of_an_older_version_lacks_what_has_a_default(tmp_path: Path) -> None:
    values = {"record": "step", **attrs.asdict(step_record(1)), "a_field_of_later": 1}
    del values["memory_bytes"]
    (tmp_path / "metrics.jsonl").write_text(json.dumps(values) + "\n", encoding="utf-8")
    (kept,) = kept_records(run_record(tmp_path, first_step=1, first_epoch=0), after=0)
    assert kept == attrs.evolve(step_record(1), memory_bytes=0)


def test_a_spec_is_flat_where_its_names_are_words() -> None:
    spec = {
        "labels": ["vui", "buồn"],
        "seed": 3,
        "cache": None,
        "audio": {"kind": "whisper", "lora": {"rank": 4, "targets": []}},
        "data": {"train": [{"path": "a.jsonl", "label_map": {"bực bội": "buồn"}}, {"label_map": {}}]},
        "training": {"learning_rates": {"text.pretrained": 1e-5}, "deterministic": True},
        "trackers": (),
    }
    assert flat_spec(spec) == {
        "labels": '["vui", "buồn"]',
        "seed": 3,
        "cache": "null",
        "audio.kind": "whisper",
        "audio.lora.rank": 4,
        "audio.lora.targets": "[]",
        "data.train.0.path": "a.jsonl",
        "data.train.0.label_map": '{"bực bội": "buồn"}',
        "data.train.1.label_map": "{}",
        "training.learning_rates.text.pretrained": 1e-5,
        "training.deterministic": True,
        "trackers": "[]",
    }


def test_the_example_of_the_page_equals_the_run_folder_where_a_run_continues(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "components" / "trackers.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```\{code-block\} python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102  # the page of this repository
    (tmp_path / "run").mkdir()
    first = names["LossFile"]()
    assert observer_fault(first) == ""
    first.start_run(run_record(tmp_path / "run"))
    take_steps(first, tmp_path / "run", range(1, 6))
    left = killed_at(tmp_path / "run", step=4)
    again = names["LossFile"]()
    again.start_run(run_record(left, first_step=4))
    take_steps(again, left, range(5, 8))
    lines = (left / "loss.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [f"{step} {step_record(step).loss}" for step in range(1, 8)]
