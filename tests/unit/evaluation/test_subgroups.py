"""Scores by subgroup, the gap, and which fields make subgroups."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tests.unit.evaluation.drawn import some_outcomes
from vietmer_core.data.utterance import Utterance
from vietmer_core.evaluation.fields import RowFields, row_fields
from vietmer_core.evaluation.metrics import score
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.subgroups import FEW_UTTERANCES, subgroups


def harder_for_women() -> tuple[Outcomes, list[str | None]]:
    found = some_outcomes(0, count=900, num_clusters=60, skill=2.0)
    women = found.clusters % 2 == 0
    probabilities = found.probabilities.copy()
    probabilities[women] = np.roll(probabilities[women], 1, axis=1)
    return found.with_probabilities(probabilities), ["f" if woman else "m" for woman in women]


def test_a_group_has_the_scores_of_its_utterances() -> None:
    found, gender = harder_for_women()
    by_gender = subgroups(found, {"gender": gender}, seed=0)["gender"]
    assert list(by_gender.groups) == ["f", "m"]
    for value, group in by_gender.groups.items():
        part = found.chosen(np.array(gender) == value)
        summary = score(part.probabilities, part.truth, part.labels).summary
        assert group.scores == pytest.approx({name: summary[name] for name in group.scores})
        assert (group.num_utterances, group.num_clusters) == (len(part), part.num_clusters)


def test_the_gap_names_the_best_and_the_worst_and_its_interval_leaves_out_0() -> None:
    found, gender = harder_for_women()
    by_gender = subgroups(found, {"gender": gender}, seed=0)["gender"]
    gap = by_gender.gaps["accuracy"]
    assert (gap.best, gap.worst) == ("m", "f")
    assert gap.value == by_gender.groups["m"].scores["accuracy"] - by_gender.groups["f"].scores["accuracy"]
    assert 0 < gap.interval.low < gap.value < gap.interval.high
    content = json.loads(json.dumps(by_gender.as_json(), allow_nan=False))
    assert content["gap"]["accuracy"] == gap.value
    assert content["gap_details"]["accuracy"]["best"] == "m"


def test_groups_that_chance_made_have_a_gap_whose_interval_holds_0() -> None:
    found = some_outcomes(3, count=600, num_clusters=40)
    half = ["x" if speaker % 2 else "y" for speaker in found.clusters.tolist()]
    gap = subgroups(found, {"half": half}, seed=0)["half"].gaps["macro_f1"]
    assert gap.interval.low < 0 < gap.interval.high


def test_a_small_group_is_marked_and_left_out_of_the_gap() -> None:
    found, gender = harder_for_women()
    values: list[str | None] = [*(["tiny"] * (FEW_UTTERANCES - 1)), *gender[FEW_UTTERANCES - 1 :]]
    by_value = subgroups(found, {"gender": values}, seed=0)["gender"]
    assert by_value.groups["tiny"].is_small
    assert {by_value.gaps["macro_f1"].best, by_value.gaps["macro_f1"].worst} == {"f", "m"}


def test_without_two_large_groups_there_is_no_gap() -> None:
    found, _ = harder_for_women()
    values = ["a"] * 890 + ["b"] * 10
    assert subgroups(found, {"field": values}, seed=0)["field"].gaps == {}


def test_utterances_without_a_value_are_in_no_group() -> None:
    found, gender = harder_for_women()
    values = [None, None, *gender[2:]]
    groups = subgroups(found, {"gender": values}, seed=0)["gender"].groups
    assert sum(group.num_utterances for group in groups.values()) == len(found) - 2


def test_a_group_of_one_speaker_has_no_interval() -> None:
    found = some_outcomes(0, count=400, num_clusters=4)
    values = [str(speaker) for speaker in found.clusters.tolist()]
    by_speaker = subgroups(found, {"who": values}, seed=0)["who"]
    assert all(group.interval.method == "none" for group in by_speaker.groups.values())
    assert by_speaker.gaps["accuracy"].interval.too_few
    json.dumps(by_speaker.as_json(), allow_nan=False)


def test_names_that_begin_with_numbers_are_ordered_by_them() -> None:
    found = some_outcomes(0, count=400)
    values = ["16 s and longer", "2-4 s", "0-1 s", "8-16 s"] * 100
    assert list(subgroups(found, {"duration": values}, seed=0)["duration"].groups) == [
        "0-1 s",
        "2-4 s",
        "8-16 s",
        "16 s and longer",
    ]


def fields_of(rows: Sequence[Mapping[str, object]], *, seconds: float = 1.5) -> RowFields:
    utterances = [
        Utterance(
            utterance_id=str(number),
            speaker_id=None,
            wav_path=None,
            start=None,
            end=None,
            transcript=None,
            label="ab"[number % 2],
            metadata=row,
        )
        for number, row in enumerate(rows)
    ]
    return row_fields(utterances, seconds=np.full(len(rows), seconds))


def test_fields_with_few_values_make_subgroups_the_documented_ones_first() -> None:
    rows = [
        {
            "take": number // 4,
            "gender": "fm"[number // 2 % 2],
            "mother": "xy"[number % 2],
            "pitch": number / 7,
            "id": f"u{number}",
            "shouted": number // 2 % 2 == 0,
            "one": "same",
            "turn_index": number // 4,
        }
        for number in range(16)
    ]
    found = fields_of(rows)
    assert list(found.subgroups) == ["gender", "shouted", "take"]  # `mother` is the label by another name
    assert found.subgroups["shouted"][:3] == ["true", "true", "false"]
    assert found.subgroups["take"][:5] == ["0", "0", "0", "0", "1"]
    assert found.protocol is None


def test_missing_values_are_none() -> None:
    rows = [{"accent": ["north", "south", None, " "][number // 2 % 4]} for number in range(32)]
    assert fields_of(rows).subgroups["accent"][:8] == ["north", "north", "south", "south", None, None, None, None]


def test_durations_make_spans() -> None:
    seconds = np.array([0.5, 1.0, 3.0, 20.0, 0.0] * 8)
    utterances = [
        Utterance(
            utterance_id=str(n),
            speaker_id=None,
            wav_path=None,
            start=None,
            end=None,
            transcript=None,
            label="ab"[n % 2],
        )
        for n in range(40)
    ]
    found = row_fields(utterances, seconds=seconds)
    assert found.subgroups["duration"][:5] == ["0-1 s", "1-2 s", "2-4 s", "16 s and longer", None]


def test_the_protocol_is_read_from_the_rows() -> None:
    assert fields_of([{"split_protocol": "speaker-disjoint, seed 0"}] * 4).protocol == "speaker-disjoint, seed 0"
    mixed = [{"split_protocol": "random"}, {}, {"split_protocol": "random"}]
    assert fields_of(mixed).protocol == "mixed: random (2 rows); not stated (1 row)"
