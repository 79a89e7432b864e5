"""What MLflow holds of a run: each step and epoch once, also where a run was killed and continues."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError
from vietmer_tracker_mlflow import tracker as tracker_module
from vietmer_tracker_mlflow.plugin import MLflowParams, build
from vietmer_tracker_mlflow.tracker import RUN_FILE, MLflowTracker

from vietmer_core.errors import RunError
from vietmer_core.testing import conformance_tests
from vietmer_core.testing.run_records import (
    SPEC,
    epoch_record,
    expected_scalars,
    finish_record,
    killed_at,
    run_record,
    take_steps,
)

test_conformance = conformance_tests("tracker", "mlflow")


@pytest.fixture
def folder(tmp_path: Path, empty_store: Path) -> Path:
    """A run folder in a folder of runs whose name is no ASCII."""
    root = tmp_path / "các lượt"
    (root / "run").mkdir(parents=True)
    shutil.copy(empty_store, root / "mlflow.db")
    for name in ("spec.yaml", "provenance.json"):
        (root / "run" / name).write_text("{}\n", encoding="utf-8")
    return root / "run"


def tracker(**params: object) -> MLflowTracker:
    found = build(MLflowParams.model_validate(params))
    assert isinstance(found, MLflowTracker)
    return found


pytestmark = pytest.mark.filterwarnings(  # the tests read the store with MLflow's own client
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)


def client(folder: Path, store: str = "mlflow.db") -> MlflowClient:
    address = f"sqlite:///{folder.parent / store}"
    return MlflowClient(tracking_uri=address, registry_uri=address)


def logged_run(folder: Path, store: str = "mlflow.db") -> Run:
    return client(folder, store).get_run(json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["run_id"])


def metrics(folder: Path, store: str = "mlflow.db") -> dict[str, list[tuple[int, float]]]:
    run, reads = logged_run(folder, store), client(folder, store)
    found = {
        name: [(metric.step, metric.value) for metric in reads.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    assert {name: values[-1][1] for name, values in found.items()} == run.data.metrics, "the latest are the last"
    return {name: sorted(values) for name, values in found.items() if not name.startswith("best/")}


def test_every_step_and_epoch_is_there_once(folder: Path) -> None:
    found = tracker()
    found.start_run(run_record(folder))
    take_steps(found, folder, range(1, 8))
    assert logged_run(folder).info.status == "RUNNING"
    found.finish_run(finish_record(7))
    assert metrics(folder) == expected_scalars(7)
    run = logged_run(folder)
    assert (run.info.status, run.info.run_name, run.data.tags["outcome"]) == ("FINISHED", "run", "finished")
    assert run.data.metrics["best/value"] == 0.2


@pytest.mark.parametrize("pending", [1, 600], ids=["all logged", "nothing logged since the epoch"])
@pytest.mark.parametrize(("killed_after", "continued_from"), [(8, 5), (8, 8), (2, 1), (8, 7), (2, 0)])
def test_a_run_that_was_killed_continues_without_a_gap_or_a_step_twice(
    folder: Path, killed_after: int, continued_from: int, pending: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_module, "PENDING_METRICS", pending)
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, killed_after + 1))
    left = killed_at(folder, step=continued_from)
    again = tracker()
    again.start_run(run_record(left, first_step=continued_from))
    assert logged_run(left).info.run_id == logged_run(folder).info.run_id
    take_steps(again, left, range(continued_from + 1, 11))
    again.finish_run(finish_record(10))
    assert metrics(left) == expected_scalars(10)
    assert len(client(left).search_runs([logged_run(left).info.experiment_id])) == 1


def test_a_run_that_ended_continues_as_the_same_run(folder: Path) -> None:
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 5))
    first.finish_run(finish_record(4, outcome="interrupted"))
    assert logged_run(folder).info.status == "KILLED"
    again = tracker()
    again.start_run(run_record(folder, first_step=4))
    assert logged_run(folder).info.status == "RUNNING"
    take_steps(again, folder, range(5, 8))
    again.finish_run(finish_record(7, outcome="failed", message="the disk is full."))
    run = logged_run(folder)
    assert (run.info.status, run.data.tags["message"]) == ("FAILED", "the disk is full.")
    assert metrics(folder) == expected_scalars(7)


def test_an_epoch_whose_end_is_told_again_is_there_once(folder: Path) -> None:
    """Killed between the score of an epoch and its checkpoint, a run continues from the epoch's last step."""
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 4))
    again = tracker()
    again.start_run(run_record(folder, first_step=3, first_epoch=0))
    again.end_epoch(epoch_record(0))
    again.finish_run(finish_record(3))
    assert metrics(folder) == expected_scalars(3)


def test_logging_alone_would_leave_steps_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of these tests sees it."""
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 4))
    monkeypatch.setattr(tracker_module, "forget_after", lambda *_: None)
    again = tracker()
    again.start_run(run_record(folder, first_step=1))
    take_steps(again, folder, range(2, 4))
    again.finish_run(finish_record(3))
    assert [step for step, _ in metrics(folder)["step/loss"]] == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("what", ["the MLflow run was deleted", "the store is another"])
def test_what_the_store_lacks_is_logged_again_whole(folder: Path, empty_store: Path, what: str) -> None:
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 5))
    first.finish_run(finish_record(4))
    before = logged_run(folder).info.run_id
    store = "mlflow.db"
    if what == "the store is another":
        store = "other.db"
        shutil.copy(empty_store, folder.parent / store)
    else:
        client(folder).delete_run(before)
    again = tracker(store=store)
    again.start_run(run_record(folder, first_step=4))
    take_steps(again, folder, range(5, 8))
    again.finish_run(finish_record(7))
    assert logged_run(folder, store).info.run_id != before
    assert metrics(folder, store) == expected_scalars(7)


def test_the_spec_is_there_as_parameters_and_small_files_as_artifacts(folder: Path) -> None:
    found = tracker()
    found.start_run(run_record(folder))
    found.finish_run(finish_record(0))
    run = logged_run(folder)
    assert run.data.params == {
        "name": "made-up",
        "labels": '["vui", "buồn"]',
        "seed": "3",
        "threads": "null",
        "data.train.0.path": "train.jsonl",
        "data.train.0.label_map": '{"bực bội": "buồn"}',
        "training.epochs": "4",
        "training.learning_rate": "0.001",
        "training.deterministic": "true",
    }
    assert sorted(file.path for file in client(folder).list_artifacts(run.info.run_id)) == [
        "provenance.json",
        "spec.yaml",
    ]
    assert [path.name for path in sorted(folder.parent.iterdir())] == [
        *("mlartifacts", "mlflow.db", "mlflow.db.lock", "run"),
    ]


def test_a_long_spec_and_a_long_value_are_logged(folder: Path) -> None:
    spec = {**{f"field_{index}": index for index in range(250)}, "notes": "dài " * 3000}
    found = tracker()
    found.start_run(run_record(folder, spec=spec))
    found.finish_run(finish_record(0))
    params = logged_run(folder).data.params
    assert len(params) == 251
    assert len(params["notes"]) == 6000


def test_a_spec_that_was_changed_for_the_rest_of_the_run_is_told(folder: Path) -> None:
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 3))
    again = tracker()
    again.start_run(run_record(folder, first_step=2, spec={**SPEC, "seed": 4}))
    again.finish_run(finish_record(2))
    run = logged_run(folder)
    assert run.data.params["seed"] == "3"
    assert run.data.tags["from step 2: seed"] == "4"


def test_store_and_experiment_are_parameters(folder: Path) -> None:
    for experiment in ("gọi điện", "gọi điện"):
        found = tracker(store="elsewhere/all.db", experiment=experiment)
        found.start_run(run_record(folder))
        found.finish_run(finish_record(0))
    experiments = client(folder, "elsewhere/all.db").search_experiments()
    assert sorted(experiment.name for experiment in experiments) == ["Default", "gọi điện"]


def test_an_experiment_that_was_deleted_is_one_sentence(folder: Path) -> None:
    first = tracker()
    first.start_run(run_record(folder))
    first.finish_run(finish_record(0))
    client(folder).delete_experiment(logged_run(folder).info.experiment_id)
    with pytest.raises(RunError, match=r"mlflow\.db: the experiment `vietmer` was deleted\. Name another, or restore"):
        tracker().start_run(run_record(folder))


@pytest.mark.parametrize("obstacle", ["a text", "a folder"])
def test_what_is_no_store_is_one_sentence(folder: Path, obstacle: str) -> None:
    store = folder.parent / "other.db"
    if obstacle == "a folder":
        store.mkdir()
    else:
        store.write_text("no database " * 100, encoding="utf-8")
    with pytest.raises(RunError, match=r"other\.db: MLflow's store cannot be used: .*database") as caught:
        tracker(store="other.db").start_run(run_record(folder))
    assert "\n" not in str(caught.value)


def test_a_store_that_is_taken_away_in_the_middle_is_one_sentence(folder: Path) -> None:
    found = tracker()
    found.start_run(run_record(folder))
    (folder.parent / "mlflow.db").write_bytes(b"?" * 4096)
    with pytest.raises(RunError, match=r"mlflow\.db: MLflow's store cannot be used"):
        take_steps(found, folder, range(1, 4))


def test_a_full_disk_is_one_sentence_without_the_statement(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise OperationalError("INSERT INTO metrics", {}, sqlite3.OperationalError("database or disk is full"))

    found = tracker()
    found.start_run(run_record(folder))
    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    sentence = r"mlflow\.db: MLflow's store cannot be used: \(sqlite3\.OperationalError\) database or disk is full\."
    with pytest.raises(RunError, match=f"{sentence}$"):
        take_steps(found, folder, range(1, 4))


@pytest.mark.slow
def test_two_processes_that_make_one_store_at_once_do_not_stop_each_other(tmp_path: Path) -> None:
    """Without the lock one of them fails: `duplicate column name: step`."""
    source = (
        "import sys; from pathlib import Path; from vietmer_tracker_mlflow.store import experiment_id, open_store; "
        "store = Path(sys.argv[1]); print(experiment_id(open_store(store), 'one', store=store))"
    )
    command = [sys.executable, "-c", source, str(tmp_path / "mlflow.db")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0] == "1\n"


def test_a_run_that_failed_before_it_began_logs_nothing(folder: Path) -> None:
    tracker().finish_run(finish_record(0))
    assert not (folder / RUN_FILE).exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"store": "sqlite:///a.db"}, "must be the path of a file, without `://` and `?`"),
        ({"store": "http://mlflow:5000"}, "must be the path of a file"),
        ({"store": " "}, "must not be empty"),
        ({"experiment": ""}, "must not be empty"),
        ({"tracking_uri": "http://mlflow:5000"}, ""),
    ],
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MLflowParams.model_validate(wrong)
    (error,) = caught.value.errors()
    assert error["loc"] == tuple(wrong)
    assert sentence in error["msg"]
