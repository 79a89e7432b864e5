"""Outcomes: from arrays and from files of predictions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.evaluation.drawn import some_outcomes
from vietmer_core.comparison.systems import clusters_of
from vietmer_core.errors import RunError
from vietmer_core.evaluation.outcomes import Outcomes, numbered_clusters, outcomes_of_rows, read_outcomes, speaker_codes


def row(label: str | None, *probabilities: float, speaker: str | None = "s") -> dict[str, object]:
    return {"speaker_id": speaker, "label": label, "probabilities": dict(zip("ab", probabilities, strict=True))}


def test_an_unknown_speaker_is_a_cluster_of_its_own() -> None:
    clusters = numbered_clusters(np.array([3, -1, 3, -1, 0]))
    assert clusters[0] == clusters[2] == 3
    assert len(set(clusters.tolist())) == 4


def test_a_name_written_by_two_hands_is_one_cluster() -> None:
    names = ("Lan", "lan ", "Hòa", " ", "Ho\u0300a")
    codes = speaker_codes(np.array([0, 1, 2, 3, 4, -1, 1]), names)
    assert codes.tolist() == [0, 0, 1, -1, 1, -1, 0]
    found = outcomes_of_rows([row("a", 1, 0, speaker=name) for name in (*names, None)])
    assert (found.num_clusters, found.num_unknown_speakers) == (4, 2)
    clusters = clusters_of([*names, None]).tolist()
    assert clusters == [0, 0, 1, 2, 1, 3]


def test_a_file_of_predictions_is_read(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    rows = [row("b", 0.3, 0.7), row("a", 0.4, 0.6, speaker=None), row("a", 0.9, 0.1, speaker="t"), row("a", 1, 0)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    found = read_outcomes(path)
    assert found.labels == ("a", "b")
    assert found.truth.tolist() == [1, 0, 0, 0]
    assert found.predicted.tolist() == [1, 1, 0, 0]
    assert found.hits.tolist() == [True, False, True, True]
    assert found.confidence.tolist() == [0.7, 0.6, 0.9, 1]
    assert (found.num_clusters, found.num_unknown_speakers) == (3, 1)
    assert found.clusters[0] == found.clusters[3]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no row"),
        ([row("a", 1, 0), {"label": "a"}], ":2: must hold a probability for each of"),
        ([row("a", 1, 0), {**row("a", 1, 0), "probabilities": {"b": 1.0, "a": 0.0}}], ":2: must hold a probability"),
        ([row(None, 1, 0)], ":1: `label` must be one of"),
        ([row("c", 1, 0)], ":1: `label` must be one of"),
        ([{**row("a", 1, 0), "label": ["a"]}], ":1: `label` must be one of"),
        ([{"predicted": None, "reason": "no text"}], ":1: must hold a probability for each label, but holds none"),
        ([["a"]], ":1: must hold a probability for each label"),
        ([row("a", 1, 0), row("a", float("nan"), 0.5)], ":2: must hold a probability .* each from 0 to 1"),
        ([row("a", 1, 0), row("a", 3, 0.5)], ":2: must hold a probability .* each from 0 to 1"),
        ([row("a", 1, 0), {"speaker_id": None, "label": "a", "probabilities": {"a": "1", "b": 0}}], ":2: must hold"),
        ([row("a", 1, 0), {**row("a", 1, 0), "speaker_id": ["s"]}], ":2: must hold .* a speaker or null"),
    ],
)
def test_rows_that_cannot_be_scored_are_named(rows: list[Any], message: str) -> None:
    with pytest.raises(RunError, match=f"test.jsonl.*{message}"):
        outcomes_of_rows(rows, place="test.jsonl")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"label": ', encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        read_outcomes(tmp_path / "test.jsonl")


def test_arrays_that_do_not_fit_are_refused() -> None:
    found = some_outcomes(0)
    for name, value in (("truth", found.truth[:-1]), ("clusters", found.clusters[:-1]), ("truth", found.truth + 5)):
        parts = {name: getattr(found, name) for name in ("labels", "probabilities", "truth", "clusters")} | {
            name: value
        }
        with pytest.raises(ValueError, match="must"):
            Outcomes(**parts)
    with pytest.raises(ValueError, match="at least one"):
        found.chosen(np.array([], dtype=np.int64))
