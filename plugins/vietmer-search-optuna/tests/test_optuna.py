"""Trials that Optuna proposes: the same ones each time, cut off or not, kept in a file that may be damaged."""

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution
from optuna.trial import Trial
from pydantic import ValidationError
from vietmer_search_optuna.plugin import OptunaParams, build

from vietmer_core.ablation.search.searcher import Choice, Range, Space, Study, TrialRecord
from vietmer_core.errors import RunError
from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("search", "optuna")

SPACE: Space = {
    "rate": Range(low=1e-5, high=1e-1, log=True),
    "dim": Range(low=8, high=64, step=8, is_whole=True),
    "dropout": Range(low=0.0, high=0.5, step=0.1),
    "pooler": Choice(levels=("mean", "max")),
}


def opened(file: Path, *, space: Space = SPACE, **params: Any) -> Study:
    made = build(OptunaParams(startup_trials=3, **params))
    return made.open(file, name="one", space=space, maximises=True)


@pytest.fixture
def folder(tmp_path: Path, empty_study: Path) -> Path:
    """A folder with some files that each hold a study without trials."""
    for name in ("study", "whole", "cut", "other"):
        shutil.copy(empty_study, tmp_path / f"{name}.db")
    return tmp_path


def score(trial: TrialRecord) -> float:
    """Best at a low rate and a large width."""
    return float(trial.values["dim"]) / 64 - float(trial.values["rate"])


def advance(study: Study, number: int) -> None:
    for _ in range(number):
        trial = study.ask()
        study.tell(trial.number, state="finished", score=score(trial), epochs={0: 0.1, 1: score(trial)})


def values(study: Study) -> list[Any]:
    return [trial.values for trial in study.trials()]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_was_cut_off_proposes_what_it_would_have_proposed(folder: Path, sampler: str) -> None:
    whole = opened(folder / "whole.db", sampler=sampler)
    advance(whole, 5)
    for cut in (2, 3):
        advance(opened(folder / "cut.db", sampler=sampler), cut)
    assert values(opened(folder / "cut.db", sampler=sampler)) == values(whole)
    assert len({str(found) for found in values(whole)}) > 3
    other = opened(folder / "other.db", sampler=sampler, seed=1)
    advance(other, 2)
    assert values(other) != values(whole)[:2]


def test_a_trial_that_was_cut_off_is_still_there_and_runs(folder: Path) -> None:
    asked = opened(folder / "study.db").ask()
    (found,) = opened(folder / "study.db").trials()
    assert found == asked


def test_a_kill_while_a_trial_is_proposed_leaves_none_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna by itself keeps value by value."""
    own, drawn = Trial._suggest, list[str]()

    def killed(self: Trial, name: str, distribution: BaseDistribution) -> Any:
        if drawn:
            raise KeyboardInterrupt
        drawn.append(name)
        return own(self, name, distribution)

    monkeypatch.setattr(Trial, "_suggest", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(folder / "study.db").ask()
    monkeypatch.undo()
    assert drawn == ["rate"]
    assert opened(folder / "study.db").trials() == []


def test_what_is_told_is_read_back(folder: Path) -> None:
    study = opened(folder / "study.db")
    for _ in range(3):
        study.ask()
    study.tell(0, state="finished", score=0.25, epochs={0: 0.5, 1: 0.25})
    study.tell(1, state="pruned", score=None, epochs={0: 0.75})
    study.tell(2, state="failed", score=None, epochs={})
    found = opened(folder / "study.db").trials()
    assert [(trial.state, trial.score, dict(trial.epochs)) for trial in found] == [
        ("finished", 0.25, {0: 0.5, 1: 0.25}),
        ("pruned", None, {0: 0.75}),
        ("failed", None, {}),
    ]


def test_values_lie_in_their_space(folder: Path) -> None:
    study = opened(folder / "study.db")
    advance(study, 8)
    for found in values(study):
        assert 1e-5 <= found["rate"] <= 1e-1
        assert found["dim"] in range(8, 65, 8)
        assert isinstance(found["dim"], int)
        assert round(found["dropout"] * 10, 6) in range(6)
        assert found["pooler"] in ("mean", "max")


FINISHED = [{0: 0.2, 1: 0.4, 2: 0.6}, {0: 0.3, 1: 0.5, 2: 0.7}, {0: 0.1, 1: 0.3, 2: 0.8}]


@pytest.mark.parametrize(
    ("epochs", "finished", "maximises", "expected"),
    [
        pytest.param({0: 0.1, 1: 0.1}, FINISHED, True, True, id="below the median"),
        pytest.param({0: 0.1, 1: 0.45}, FINISHED, True, False, id="above the median"),
        pytest.param({0: 0.1, 1: 0.1}, FINISHED, False, False, id="less is better"),
        pytest.param({0: 0.0}, FINISHED, True, False, id="warm-up"),
        pytest.param({0: 0.0, 1: 0.0}, FINISHED[:1], True, False, id="too few have finished"),
        pytest.param({}, FINISHED, True, False, id="no epoch yet"),
    ],
)
def test_a_trial_below_the_median_is_hopeless(
    epochs: dict[int, float], finished: Sequence[dict[int, float]], maximises: bool, expected: bool
) -> None:
    searcher = build(OptunaParams(pruner_startup_trials=2, pruner_warmup_epochs=1))
    assert searcher.is_hopeless(epochs, finished=finished, maximises=maximises) is expected
    never = build(OptunaParams(pruner="none", pruner_startup_trials=2, pruner_warmup_epochs=1))
    assert never.is_hopeless(epochs, finished=finished, maximises=maximises) is False


def test_whether_a_trial_is_hopeless_does_not_depend_on_when_one_looks() -> None:
    """The first hopeless epoch is the same, whatever comes after it."""
    searcher = build(OptunaParams(pruner_startup_trials=2, pruner_warmup_epochs=0))

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=3))
    def holds(scores: list[float]) -> None:
        epochs = dict(enumerate(scores))
        first = [searcher.is_hopeless(epochs, finished=FINISHED, maximises=True) for _ in range(2)]
        assert first[0] == first[1]

    holds()


def test_a_study_over_another_space_is_one_sentence(folder: Path) -> None:
    advance(opened(folder / "study.db"), 1)
    with pytest.raises(
        RunError, match=r"study\.db: Optuna's storage cannot be used: .*Restore the file or remove it\.$"
    ):
        opened(folder / "study.db", space={**SPACE, "pooler": Choice(levels=("mean", "min"))}).ask()


def test_a_storage_that_fails_later_is_one_sentence(folder: Path) -> None:
    study = opened(folder / "study.db")
    study.ask()
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("drop table trial_intermediate_values")
    database.close()
    with pytest.raises(RunError, match=r"study\.db: Optuna's storage cannot be used: no such table") as caught:
        study.tell(0, state="finished", score=0.5, epochs={0: 0.5})
    assert "\n" not in str(caught.value)


def test_what_is_no_storage_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("no database " * 100, encoding="utf-8")
    with pytest.raises(RunError, match=r"study\.db: Optuna's storage cannot be used") as caught:
        opened(tmp_path / "study.db")
    assert "\n" not in str(caught.value)


def test_other_programs_can_read_the_trials(folder: Path) -> None:
    advance(opened(folder / "study.db"), 2)
    with sqlite3.connect(folder / "study.db") as database:
        assert database.execute("select count(*) from trials").fetchone() == (2,)
    database.close()


@pytest.mark.parametrize("wrong", [{"sampler": "grid"}, {"seed": -1}, {"pruner": "halving"}, {"trials": 3}])
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OptunaParams.model_validate(wrong)
