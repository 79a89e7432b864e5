"""`vietmer reliance` on real files: what is changed, what is compared, what is left."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.end_to_end.calling import vietmer
from vietmer_core.components import Modality
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.errors import AssemblyError, DataError, RunError
from vietmer_core.evaluation.calibration import Calibration, weights_of, write_calibration
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.prediction import predict_manifest
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.reliance.changes import Removed, Split
from vietmer_core.reliance.conditions import Condition, Levels, conditions_of
from vietmer_core.reliance.measuring import Plan, measure_reliance
from vietmer_core.reliance.running import ChangedRuns
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.runs import start_run

EVERY = ("removed", "shuffled", "noise", "telephone", "gain", "words", "marks")


def trained(spec: Path, *, epochs: int = 1) -> TrainedRun:
    folder, _ = start_run(load_spec([spec], [f"training.epochs={epochs}"]), root=Path("runs"))
    return TrainedRun.load(folder.path)


def split_of(run: TrainedRun, *, seed: int = 3) -> Split:
    from vietmer_core.data.splits import open_split

    assert run.frontends.audio is not None
    manifest = open_split(run.spec, "test", run.catalogue)
    return Split.of(manifest, states={}, seed=seed, sampling_rate=run.frontends.audio.sampling_rate)


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in document["conditions"]}


def test_every_condition_is_compared_and_the_files_are_left(workplace: Path) -> None:
    run = trained(workplace / "spec.yaml", epochs=4)
    scores = evaluate_run(run, "test").scores.summary
    result = vietmer("reliance", run.folder.path, "--draws", 2, "--snr", "20,-5", "--wer", "40")
    assert result.exit_code == 0, result.output
    folder = run.folder.evaluation_path("test")
    document = json.loads((folder / "reliance.json").read_text(encoding="utf-8"))
    assert document["unchanged"]["macro_f1"] == scores["macro_f1"]
    assert document["unchanged"]["loss"] == pytest.approx(scores["loss"], abs=1e-12)
    found = by_name(document)
    assert {entry["group"] for entry in found.values()} == set(EVERY)
    assert (len(found), document["left_out"]) == (2 + 4 + 2 + 4 + 3 + 1 + 2, [])
    assert found["shuffled-text"]["draws"] == found["words-40"]["draws"] == 2
    assert found["words-40"]["measured"]["wer"] > 0.1
    for entry in found.values():
        assert (entry["num_utterances"], entry["num_left_out"]) == (6, 0)
        assert entry["unchanged"] == document["unchanged"]
        assert 0 <= entry["kept"] <= 1
    rows = [json.loads(line) for line in (folder / "shares.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["utterance_id"] for row in rows] == [f"test_{index:02d}" for index in range(6)]
    for row in rows:
        assert row["shapley"]["text"] + row["shapley"]["audio"] == pytest.approx(row["probability"] - row["nothing"])
        attention = row["attention"]["poolers.0"]
        assert attention["text"] + attention["audio"] == pytest.approx(1)
        assert set(row["attention"]) == {"poolers.0", "fusion.blocks.0.text", "fusion.blocks.0.audio"}
    for name in ("reliance.png", "reliance-noise.png", "reliance-words.png", "reliance-other.png"):
        assert (folder / name).stat().st_size > 5000
    assert "text of another" in result.output
    assert "label: angry" in result.output


def test_a_modality_that_is_removed_is_one_that_never_was(workplace: Path) -> None:
    """Text only and audio only give what manifests give whose rows have null there: to the bit, in canonical shapes."""
    run = trained(workplace / "spec.yaml")
    runs = ChangedRuns(run, split_of(run))
    for condition in conditions_of(["removed"], levels=Levels(), from_cache=False):
        runs.compare(condition, draws=1)
        lines = (workplace / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        null = {"transcript": None} if condition.modality is Modality.TEXT else {"wav_path": None}
        path = workplace / "corpus" / f"without_{condition.modality}.jsonl"
        rows = [json.dumps({**json.loads(line), **null}, ensure_ascii=False) + "\n" for line in lines]
        path.write_text("".join(rows), encoding="utf-8")
        expected = [list(row["probabilities"].values()) for row in predict_manifest(run, [ManifestSource(path=path)])]
        assert np.array_equal(runs._without(condition.modality), np.array(expected))
    silence = runs.before.probabilities
    assert not np.array_equal(runs._without(Modality.AUDIO), silence), "the counter-example: nothing removed"


def test_the_batch_changes_nothing_and_neither_does_the_order_of_what_is_asked(workplace: Path) -> None:
    run = trained(workplace / "spec.yaml")
    conditions = conditions_of(EVERY, levels=Levels(snr_db=(0.0,), word_error_rates=(0.4,)), from_cache=False)
    alone, together = (ChangedRuns(run, split_of(run), batch_size=size) for size in (1, 6))
    found = {condition.name: alone.compare(condition, draws=1)[0] for condition in conditions}
    for condition in reversed(conditions):
        second, _ = together.compare(condition, draws=1)
        first = found[condition.name]
        assert first is not None
        assert second is not None
        assert first.as_json() == second.as_json()


def test_what_is_changed_reaches_the_workers_of_a_loader(workplace: Path) -> None:
    split = split_of(trained(workplace / "spec.yaml"))
    for condition in conditions_of(EVERY, levels=Levels(), from_cache=True):
        changed = condition.change(split, draw=1)
        again = pickle.loads(pickle.dumps((changed.utterances, changed.augmentation)))  # noqa: S301  # our own
        assert [again[0][row] for row in range(len(split.ids))] == [changed.utterances[row] for row in range(6)]
        assert again[0].sizes.audio_seconds.tolist() == changed.utterances.sizes.audio_seconds.tolist()


def test_another_seed_draws_others(workplace: Path) -> None:
    run = trained(workplace / "spec.yaml", epochs=4)
    (noise,) = conditions_of(["noise"], levels=Levels(snr_db=(0.0,)), from_cache=False)
    found = [ChangedRuns(run, split_of(run, seed=seed)).compare(noise, draws=1)[0] for seed in (1, 2)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].scores["loss"] != found[1].scores["loss"]


def test_what_is_not_asked_again_stays_and_other_settings_begin_anew(workplace: Path) -> None:
    run = trained(workplace / "spec.yaml")
    measure_reliance(run, "test", Plan(groups=("gain", "shares"), seed=1))
    both = measure_reliance(run, "test", Plan(groups=("removed",), seed=1))
    assert [entry["group"] for entry in both["conditions"]] == ["removed"] * 2 + ["gain"] * 3
    assert both["shares"] is not None
    fresh = measure_reliance(run, "test", Plan(groups=("removed",), seed=2))
    assert {entry["group"] for entry in fresh["conditions"]} == {"removed"}
    assert fresh["shares"] is None


def test_what_is_measured_again_takes_its_place_one_by_one(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a call that is stopped loses nothing of an earlier one; other levels are dropped when all is done."""
    run = trained(workplace / "spec.yaml")
    wide = Plan(groups=("noise",), levels=Levels(snr_db=(20.0, 10.0)))
    measure_reliance(run, "test", wide)
    whole = ChangedRuns.compare

    def stopping(self: ChangedRuns, condition: Condition, *, draws: int) -> Any:
        if condition.name == "noise-0":
            raise KeyboardInterrupt
        return whole(self, condition, draws=draws)

    monkeypatch.setattr(ChangedRuns, "compare", stopping)
    narrow = Plan(groups=("noise",), levels=Levels(snr_db=(5.0, 0.0)))
    with pytest.raises(KeyboardInterrupt):
        measure_reliance(run, "test", narrow)
    kept = by_name(run.folder.read_json("evaluation/test/reliance.json"))
    assert list(kept) == ["noise-20", "noise-10", "noise-5"]
    monkeypatch.setattr(ChangedRuns, "compare", whole)
    assert list(by_name(measure_reliance(run, "test", narrow))) == ["noise-5", "noise-0"]


def test_a_model_of_one_modality_owes_the_other_exactly_nothing(write_spec: Callable[..., Path]) -> None:
    spec = write_spec(fusion={"kind": "text_only", "dim": 8})
    run = trained(spec)
    document = measure_reliance(run, "test", Plan(draws=1))
    assert [entry["group"] for entry in document["conditions"]] == ["words"] * 3 + ["marks"] * 2
    reasons = {left["group"]: left["reason"] for left in document["left_out"]}
    assert set(reasons) == set(EVERY) - {"words", "marks"}
    assert "reads no audio" in reasons["noise"]
    assert "reads text alone" in reasons["removed"]
    rows = (run.folder.evaluation_path("test") / "shares.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, rows):
        assert row["shapley"]["audio"] == row["drop"]["audio"] == row["share"]["audio"] == 0
        assert row["share"]["text"] == 1
    assert "left out, noise" in vietmer("reliance", run.folder.path, "--only", "noise").output


def test_a_calibrated_run_is_calibrated_under_every_change(workplace: Path) -> None:
    run = trained(workplace / "spec.yaml")
    own = measure_reliance(run, "test", Plan(groups=("removed", "shares")))
    scores = {"nll": 1.0, "ece": 0.1, "brier": 0.5}
    calibration = Calibration.model_validate(
        {
            "temperature": 3.0,
            "split": "valid",
            "data": "",
            "epoch": run.epoch,
            "weights": weights_of(run.folder),
            "num_utterances": 6,
            "before": scores,
            "after": scores,
        }
    )
    write_calibration(run.folder, calibration)
    calibrated = TrainedRun.load(run.folder.path)
    found = measure_reliance(calibrated, "test", Plan(groups=("removed", "shares")))
    assert found["temperature"] == 3.0
    assert found["unchanged"]["loss"] == pytest.approx(evaluate_run(calibrated, "test").scores.summary["loss"])
    for entry, before in zip(found["conditions"], own["conditions"], strict=True):
        assert entry["scores"]["macro_f1"] == before["scores"]["macro_f1"]
        assert entry["scores"]["loss"] != before["scores"]["loss"]
    assert found["shares"]["mean"]["drop"] != own["shares"]["mean"]["drop"]


def test_an_utterance_that_lacks_a_modality_is_left_out_where_it_must_be(workplace: Path) -> None:
    path = workplace / "corpus" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[0]["wav_path"], rows[1]["transcript"] = None, None
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    run = trained(workplace / "spec.yaml")
    found = by_name(measure_reliance(run, "test", Plan(draws=2, levels=Levels(snr_db=(0.0,), word_error_rates=(0.4,)))))
    assert found["text-only"]["num_utterances"] == found["shuffled-audio"]["num_utterances"] == 4
    assert found["noise-0"]["num_utterances"] == found["tones"]["num_utterances"] == 5
    lines = (run.folder.evaluation_path("test") / "shares.jsonl").read_text(encoding="utf-8").splitlines()
    first, second = map(json.loads, lines[:2])
    assert first["shapley"]["audio"] == second["shapley"]["text"] == 0
    assert "audio" not in first["attention"].get("fusion.blocks.0.text", {})


def test_from_the_feature_cache_changed_audio_is_computed_and_the_rest_is_read(workplace: Path, whisper: Path) -> None:
    path = workplace / "spec.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document |= {"audio": {"kind": "whisper", "checkpoint": f"./{whisper.name}"}, "cache": "states"}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    run = trained(path)
    levels = Levels(snr_db=(0.0,), word_error_rates=(0.4,))
    cached = measure_reliance(run, "test", Plan(draws=1, levels=levels))
    assert by_name(cached)["computed"]["scores"] == pytest.approx(cached["unchanged"])
    plain = measure_reliance(run, "test", Plan(draws=1, levels=levels), cache="none")
    assert "computed" not in by_name(plain)
    for name, entry in by_name(plain).items():
        assert by_name(cached)[name]["scores"] == pytest.approx(entry["scores"], abs=1e-6), name


def test_a_dataset_without_the_change_would_differ(workplace: Path) -> None:
    """The counter-example to `test_a_modality_that_is_removed_is_one_that_never_was`: silence is no absence."""
    run = trained(workplace / "spec.yaml")
    split = split_of(run)
    removed = Removed(modalities=frozenset({Modality.AUDIO}))(split, draw=0)
    settings: dict[str, Any] = {"frontends": run.frontends, "labels": run.spec.labels, "channel": "mono"}
    sample = UtteranceDataset(removed.utterances, **settings)[0]
    assert sample.audio is not None
    assert len(sample.audio) == 0
    assert sample.text is not None
    assert len(sample.text) > 0


def test_mistakes_are_sentences(workplace: Path) -> None:
    run = trained(workplace / "spec.yaml")
    for arguments, told in (
        (["--only", "noize"], "Did you mean `noise`?"),
        (["--snr", "a"], "from -100 to 100"),
        (["--wer", "120"], "from 0 to 100"),
        (["--snr", "5,5"], "once"),
        (["--draws", "0"], "--draws"),
    ):
        result = vietmer("reliance", run.folder.path, *arguments)
        assert result.exit_code == 2
        assert told in " ".join(result.output.split())
    with pytest.raises(AssemblyError, match="no folder"):
        vietmer("reliance", run.folder.path, "--noise", "blue")
    (workplace / "empty").mkdir()
    with pytest.raises(DataError, match="holds none"):
        vietmer("reliance", run.folder.path, "--noise", "empty")
    run.folder.best_checkpoint.unlink()  # the split is refused before a model is loaded
    with pytest.raises(RunError, match=r"has no split `tset`; .*Did you mean `test`\?"):
        vietmer("reliance", run.folder.path, "--split", "tset")
