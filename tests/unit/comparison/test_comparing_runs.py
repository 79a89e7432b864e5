"""Run folders compared: what is grouped, what is refused, what is written."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vietmer_core.cli.main import commands
from vietmer_core.comparison.comparing_runs import compare_runs
from vietmer_core.comparison.folds import folds_of
from vietmer_core.errors import EXIT_RUN, EXIT_USAGE, RunError, VietmerError
from vietmer_core.splitting import wording
from vietmer_core.splitting.settings import SplitSettings

MakeRun = Callable[..., Path]
FUSED: dict[str, Any] = {"fusion": {"kind": "xattn"}}
PROTOCOL = "2 folds, speaker-disjoint, stratified by emotion, seed 0"


def run_command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, ["compare", *map(str, arguments)], env={"COLUMNS": "200"})


def test_runs_that_differ_in_the_seed_alone_are_one_system(make_run: MakeRun) -> None:
    paths = [make_run(f"fused-{seed}", name="fused", seed=seed, accuracy=0.8, spec=FUSED) for seed in (2, 0, 1)]
    paths += [make_run(f"text-{seed}", name="text", seed=seed, accuracy=0.4) for seed in (0, 1)]
    found = compare_runs(paths).comparison
    assert [(system.name, system.seeds) for system in found.systems] == [("fused", (0, 1, 2)), ("text", (0, 1))]
    assert [Path(run).name for run in found.systems[0].runs] == ["fused-0", "fused-1", "fused-2"]
    (pair,) = found.pairs
    assert pair.seeds == ((0, 0), (1, 1))
    assert len(pair.mcnemar) == len(pair.seed_differences) == 2


def test_what_changes_no_result_does_not_part_runs(make_run: MakeRun) -> None:
    paths = [
        make_run("a", seed=0, spec={"loader": {"workers": 0}}),
        make_run("b", seed=1, spec={"loader": {"workers": 4}, "cache": {"folder": "x"}, "trackers": [1]}),
        make_run("c", name="other", spec={"loader": {"workers": 0}, "head": {"kind": "mlp"}}),
    ]
    assert [system.seeds for system in compare_runs(paths).comparison.systems] == [(0, 1), (0,)]


def test_each_seed_may_begin_from_a_run_of_its_own(make_run: MakeRun) -> None:
    paths = [
        make_run(
            f"run-{seed}",
            seed=seed,
            spec={"initialise": {"text": f"runs/pre-{seed}"}},
            provenance={"initialise": {"text": {"run": f"pretrain-20260101-00000{seed}"}}},
        )
        for seed in (0, 1)
    ]
    paths.append(make_run("plain", name="plain"))
    assert [system.seeds for system in compare_runs(paths).comparison.systems] == [(0, 1), (0,)]


def test_runs_on_other_training_data_are_other_systems(make_run: MakeRun) -> None:
    more = make_run("more", seed=1, provenance={"data": {"train": "more", "valid": "v"}})
    found = compare_runs([make_run("less"), more])
    assert [system.name for system in found.comparison.systems] == ["less", "more"]
    assert "`less` and `more` are two systems, since they differ in the data that they were trained on." in found.notes


def test_runs_of_one_name_say_in_which_fields_they_differ(make_run: MakeRun) -> None:
    found = compare_runs([make_run("one", spec=FUSED), make_run("two", spec={"fusion": {"kind": "late"}}, seed=1)])
    assert "`one` and `two` are two systems, since they differ in `fusion.kind`." in found.notes


def test_the_same_seed_twice_is_refused_unless_each_run_stands_alone(make_run: MakeRun) -> None:
    paths = [make_run("one"), make_run("two"), make_run("three", seed=1)]
    with pytest.raises(RunError, match="are runs of one spec with seed 0"):
        compare_runs(paths)
    assert [system.name for system in compare_runs(paths, grouped=False).comparison.systems] == ["one", "two", "three"]


def test_runs_that_learnt_from_other_label_maps_are_other_systems(make_run: MakeRun) -> None:
    paths = [
        make_run(f"{target}-{seed}", seed=seed, spec={"data": {"fingerprint": "content", "train": [entry]}})
        for seed, target in ((0, "happy"), (1, "sad"))
        for entry in ({"path": "train.jsonl", "label_map": {"excited": target}},)
    ]
    found = compare_runs(paths)
    assert [system.seeds for system in found.comparison.systems] == [(0,), (1,)]
    assert any("since they differ in `data.label_maps of train" in note for note in found.notes)


def fold_scores(fold: int) -> dict[str, Any]:
    return {"protocol": PROTOCOL, "data": f"fold{fold}"}


def test_folds_of_one_protocol_are_joined(make_run: MakeRun) -> None:
    paths = [
        make_run(
            f"{name}-{fold}",
            name=name,
            accuracy=accuracy,
            spec={"fusion": {"kind": name}},
            scores=fold_scores(fold),
            utterances=range(48 * (fold - 1), 48 * fold),
            provenance={"data": {"train": f"t{fold}", "valid": "v"}},
        )
        for name, accuracy in (("fused", 0.9), ("text", 0.4))
        for fold in (1, 2)
    ]
    found = compare_runs(paths)
    assert (found.comparison.num_utterances, found.protocols) == (96, {"fused": PROTOCOL, "text": PROTOCOL})
    assert [system.num_folds for system in found.comparison.systems] == [2, 2]
    (pair,) = found.comparison.pairs
    assert pair.resampled is not None
    assert pair.resampled.num_differences == 2
    with pytest.raises(RunError, match=r"of `text` with seed 0 there are runs of 1 folds, but `2 folds, .*` has 2"):
        compare_runs(paths[:3])
    alone = compare_runs([paths[0], paths[2]], grouped=False)
    assert alone.comparison.num_utterances == 48


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_one_fold_alone_has_no_test_over_folds(make_run: MakeRun, num_seeds: int) -> None:
    scores = {"protocol": "leave-one-speaker-out, speaker-disjoint, seed 0"}
    paths = [
        make_run(f"{name}-{seed}", name=name, seed=seed, spec={"head": name}, scores=scores)
        for name in ("one", "other")
        for seed in range(num_seeds)
    ]
    (pair,) = compare_runs(paths).comparison.pairs
    assert pair.resampled is None


@pytest.mark.parametrize(
    ("protocol", "count"),
    [
        (PROTOCOL, 2),
        ("leave-one-speaker-out, speaker- and recording-disjoint, seed 1", None),
        ("leave-one-corpus-out", None),
        ("leave-one-speaker-out in 24 folds, speaker-disjoint, seed 1", 24),
    ],
)
def test_folds_are_known_by_their_protocol(protocol: str, count: int | None) -> None:
    found = folds_of(protocol)
    assert found is not None
    assert (found.name, found.count) == (protocol, count)


def test_the_protocols_of_data_split_are_known() -> None:
    given: tuple[dict[str, Any], ...] = ({"protocol": "loso"}, {"protocol": "loco"}, {"by": "session"})
    for settings in ({"protocol": "kfold", "num_folds": 24}, *given):
        made = SplitSettings(**{"protocol": "leave-one-out", **settings})
        found = folds_of(f"{wording._folds(made, num_folds=24)}, speaker-disjoint, seed 0")
        assert found is not None
        assert found.count == 24
    assert folds_of(wording._folds(SplitSettings(), num_folds=1) or "speaker-disjoint") is None


@pytest.mark.parametrize("protocol", [None, "speaker-disjoint, seed 0", "twofolds", "12 foldss", "x 2 folds, y"])
def test_other_protocols_have_no_folds(protocol: str | None) -> None:
    assert folds_of(protocol) is None


def test_other_test_sets_are_refused(make_run: MakeRun) -> None:
    one = make_run("one", spec=FUSED)
    for name, change, sentence in (
        ("fewer", {"utterances": range(95)}, "95, and 95 are the same"),
        ("labels", {"labels": ("a", "b", "c", "d")}, "label spaces differ"),
        ("edited", {"scores": {"data": "another"}}, "their manifests or recordings differ"),
    ):
        with pytest.raises(RunError, match=sentence):
            compare_runs([one, make_run(name, **change)])


def test_a_run_that_is_not_evaluated_is_named_with_the_remedy(make_run: MakeRun) -> None:
    one, other = make_run("one", spec=FUSED), make_run("other", split="valid")
    with pytest.raises(RunError, match=r"other: the run is not evaluated on the split `test`\. Run `vietmer evaluate"):
        compare_runs([one, other])
    (one / "status.json").write_text('{"best_epoch": 3}')
    with pytest.raises(RunError, match="has new weights since it was evaluated"):
        compare_runs([one, other])


def test_predictions_of_other_scores_are_refused(make_run: MakeRun) -> None:
    one, other = make_run("one", spec=FUSED), make_run("other", scores={"accuracy": 0.123})
    with pytest.raises(RunError, match="the predictions are not those of evaluation/test/scores"):
        compare_runs([one, other])


def test_damaged_files_are_one_sentence(make_run: MakeRun) -> None:
    one, other = make_run("one", spec=FUSED), make_run("other")
    rows = other / "predictions" / "test.jsonl"
    text = rows.read_text(encoding="utf-8")
    for damage, sentence in (
        ("{", "cannot be read"),
        ('{"label": "angry"}\n', ":1: must be an"),
        ("[]\n", ":1: must be an"),
        (text.replace("0.7", "NaN", 1), ":1: must be an"),
        (text.replace("0.7", '"0.7"', 1), ":1: must be an"),
        (text.replace('"label": "angry"', '"label": ["angry"]', 1), ":1: must be an"),
        (text.replace("u001", "u000"), "an utterance stands twice"),
    ):
        rows.write_text(damage, encoding="utf-8")
        with pytest.raises(RunError, match=sentence):
            compare_runs([one, other])
    rows.write_text(text, encoding="utf-8")
    (other / "spec.yaml").write_text("seed: 0", encoding="utf-8")
    with pytest.raises(RunError, match="is no resolved spec"):
        compare_runs([one, other])


def test_the_validation_split_is_compared_only_when_asked(make_run: MakeRun) -> None:
    runs = [make_run("one", spec=FUSED, split="valid"), make_run("other", split="valid")]
    assert isinstance(run_command(*runs).exception, RunError)
    result = run_command(*runs, "--split", "valid")
    assert result.exit_code == 0, result.output
    assert "This split chose the checkpoints, so its scores are too good" in result.output


def test_the_training_split_is_compared_with_a_warning(make_run: MakeRun) -> None:
    runs = [make_run("one", spec=FUSED, split="train"), make_run("other", split="train")]
    assert "The models were trained on this split" in run_command(*runs, "--split", "train").output


def test_the_command_prints_plain_words_and_writes_tables(make_run: MakeRun, tmp_path: Path) -> None:
    good, bad = make_run("good", name="good_one", spec=FUSED, accuracy=0.9), make_run("bad", name="bad", accuracy=0.3)
    files = [tmp_path / name for name in ("a.csv", "a.md", "a.tex")]
    result = run_command(good, bad, "--csv", files[0], "--markdown", files[1], "--latex", files[2])
    assert result.exit_code == 0, result.output
    assert "`good_one` is better than `bad` by 0." in result.output
    assert "split protocol: not stated" in result.output
    assert "audit of leaks: not audited" in result.output
    (row,) = csv.DictReader(files[0].read_text(encoding="utf-8").splitlines())
    assert (row["first"], row["num_speakers"]) == ("good_one", "12")
    assert 0 < float(row["p_holm"]) < 0.01
    assert "| good_one | bad | +0." in files[1].read_text(encoding="utf-8")
    latex = files[2].read_text(encoding="utf-8")
    assert r"good\_one & bad & +0." in latex
    assert latex.count(r"\toprule") == latex.count(r"\end{tabular}") == 2


def test_the_json_holds_every_figure(make_run: MakeRun) -> None:
    runs = [make_run("one", spec=FUSED, scores={"audit": {"verdict": "leak"}}), make_run("other")]
    result = run_command(*runs, "--json", "--base", runs[1])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["version"], report["split"], report["data"]) == (1, "test", ["fingerprint"])
    assert report["audits"] == {"one": "leak", "other": "not audited"}
    (pair,) = report["pairs"]
    assert pair["p"] == pair["p_holm"] == pair["permutation"]["p"]
    assert pair["differences"]["macro_f1"]["interval"]["spread"]["num_speakers"] == 12
    assert report["systems"][0]["scores"]["accuracy"]["deviation"] is None


@pytest.mark.parametrize(
    ("one", "other", "metric", "shown", "warned"),
    [
        (1.5, None, "loss", "probabilities: one: calibrated; other: the model's own", True),
        (1.5, 2.0, "brier", "probabilities: calibrated", False),
        (1.5, None, "accuracy", "", False),
    ],
)
def test_calibrated_beside_uncalibrated_is_said_where_it_matters(
    make_run: MakeRun, one: float | None, other: float | None, metric: str, shown: str, *, warned: bool
) -> None:
    runs = [
        make_run(name, spec={"head": name}, scores={"calibration": {"temperature": temperature}})
        for name, temperature in (("one", one), ("other", other))
    ]
    output = run_command(*runs, "--metric", metric).output
    assert shown in output
    assert ("probabilities: " in output) == bool(shown)
    assert ("also that of calibrating" in output) == warned


def test_too_few_speakers_and_no_difference_are_said(make_run: MakeRun) -> None:
    few = [make_run(name, spec={"head": name}, utterances=range(0, 96, 6), accuracy=0.5) for name in ("one", "other")]
    result = run_command(*few)
    assert "cannot be told apart at 5%, however large the difference" in result.output
    same = [make_run(name, spec={"head": name}) for name in ("three", "four")]
    assert "are not distinguishable: difference in macro_f1" in run_command(*same).output


def test_mistakes_of_the_command_line(make_run: MakeRun, tmp_path: Path) -> None:
    one, other = make_run("one", spec=FUSED), make_run("other")
    assert run_command(one).exit_code == 2
    assert run_command(one, other, "--metric", "f1").exit_code == 2
    assert run_command(one, other, "--split", "dev").exit_code == 2
    assert run_command(one, other, "--uncalibrated").exit_code == 2
    for arguments, sentence, exit_code in (
        ((one, one), "the run is given twice", EXIT_USAGE),
        ((one, tmp_path / "none"), "there is no such run folder", EXIT_RUN),
        ((one, other / "spec.yaml"), f"but is a file instead. Did you mean `{other}`?", EXIT_RUN),
        ((one, other, "--base", "third"), "the base must be a run that is compared or one of one, other", EXIT_USAGE),
    ):
        result = run_command(*arguments)
        assert sentence in str(result.exception)
        assert isinstance(result.exception, VietmerError)
        assert result.exception.exit_code == exit_code
