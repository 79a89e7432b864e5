import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from vietmer_core.audit import AuditReport
from vietmer_core.audit.printing import print_audit
from vietmer_core.errors import DataError, DataProblemsError

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
Audit = Callable[..., AuditReport]


def leaky(clean_rows: Rows) -> dict[str, list[Row]]:
    splits = {name: clean_rows(name) for name in ("train", "valid", "test")}
    splits["test"][5]["transcript"] = splits["train"][4]["transcript"]
    splits["test"][5]["emotion"] = splits["train"][4]["emotion"]
    splits["valid"][1]["speaker_id"] = splits["test"][2]["speaker_id"]
    for rows in splits.values():
        for row in rows:
            row["room"] = row["emotion"] in {"sad", "happy"}
    return splits


def without_lines(report: AuditReport) -> dict[str, Any]:
    document = report.as_json()
    for finding in document["findings"]:
        for examples in finding["examples"]:
            for row in examples:
                del row["place"]
    return document


def check_order(audit: Audit, clean_rows: Rows, view: Callable[[AuditReport], Any]) -> None:
    expected = view(audit(leaky(clean_rows)))

    @settings(max_examples=2, phases=[Phase.generate])  # the counter-example need not be the smallest
    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        splits = leaky(clean_rows)
        for rows in splits.values():
            random.Random(seed).shuffle(rows)  # noqa: S311  # an order, nothing secret
        assert view(audit(splits)) == expected

    holds()


def test_the_order_of_the_lines_changes_nothing(audit: Audit, clean_rows: Rows) -> None:
    check_order(audit, clean_rows, without_lines)


def test_the_places_of_the_examples_fail_that_property(audit: Audit, clean_rows: Rows) -> None:
    with pytest.raises(AssertionError):
        check_order(audit, clean_rows, AuditReport.as_json)


def test_findings_are_sorted_counted_and_told_in_sentences(audit: Audit, clean_rows: Rows) -> None:
    report = audit(leaky(clean_rows))
    assert [finding.code for finding in report.leaks] == ["shared-speaker", "shared-transcript"]
    assert [finding.code for finding in report.cues] == ["predictive-metadata"]
    speaker, transcript = report.leaks
    assert str(speaker) == "4 of 16 rows of test have a speaker that stands in valid, too (1 speaker)."
    assert speaker.splits == ("valid", "test")
    assert [row.utterance_id for row in transcript.examples[0]] == ["train_004", "test_005"]
    assert transcript.examples[0][1].place.endswith("test.jsonl:6")
    document = report.as_json()
    assert (document["version"], document["verdict"]) == (1, "leak")
    assert document["counts"]["by_code"] == {"predictive-metadata": 1, "shared-speaker": 1, "shared-transcript": 1}
    assert document["probes"][-1]["is_cue"]


def test_a_report_is_printed_with_rules_and_a_verdict(audit: Audit, clean_rows: Rows) -> None:
    report = audit(leaky(clean_rows))
    for terminal in (False, True):
        console = Console(width=300, force_terminal=terminal, no_color=True, highlight=False)
        with console.capture() as captured:
            print_audit(report, console)
        text = captured.get()
        assert "leak [shared-speaker] 4 of 16 rows of test" in text.replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert text.count("rule: ") == len(report.findings)
        assert "(2 leaks, 1 cue, 0 notes)" in text


def test_speakers_and_recordings_of_different_corpora_are_different(audit: Audit, clean_rows: Rows) -> None:
    splits = {name: clean_rows(name) for name in ("train", "test")}
    for name, rows in splits.items():
        for number, row in enumerate(rows):
            row.update(corpus=name, speaker_id=f"{number % 4}", recording_id=f"{number}")
    assert audit(splits).leaks == ()


def test_the_same_file_by_two_paths_is_one_recording(audit: Audit, clean_rows: Rows) -> None:
    splits = {name: clean_rows(name) for name in ("train", "test")}
    splits["train"][0]["samples"] = np.random.default_rng(1).standard_normal(16_000) / 10
    splits["test"][0].update(wav_path=f"./{splits['train'][0]['utterance_id']}.flac")
    leaks = audit(splits).leaks
    assert [finding.code for finding in leaks] == ["shared-recording", "shared-audio"]
    assert "an audio file that stands in train" in str(leaks[0])


def test_rows_of_a_recording_with_two_channels_are_heard_by_their_channel(audit: Audit, clean_rows: Rows) -> None:
    rows = clean_rows("train")
    rows[0]["samples"] = np.random.default_rng(1).standard_normal((16_000, 2)) / 10
    path = f"{rows[0]['utterance_id']}.flac"
    for row, channel in ((rows[0], 0), (rows[1], 1)):
        row.update(wav_path=path, channel=channel)
    assert "repeated-audio" not in {finding.code for finding in audit({"train": rows}).findings}
    for row in rows[:2]:
        row["channel"] = 1
    assert "repeated-audio" in {finding.code for finding in audit({"train": rows}).findings}


def test_audio_of_which_none_can_be_decoded_is_one_sentence(audit: Audit, clean_rows: Rows) -> None:
    rows = clean_rows("train")
    rows[0].update(wav_path="none.flac", start=0, end=1)
    with pytest.raises(DataError, match=r"no audio can be decoded\. .*train\.jsonl:1: audio file .* does not exist"):
        audit({"train": rows})
    assert audit({"train": rows}, decode_audio=False).num_audio == 1


def test_no_split_and_faulty_rows_are_told(audit: Audit, clean_rows: Rows) -> None:
    with pytest.raises(DataError, match="at least one split"):
        audit({})
    rows = clean_rows("train")
    rows[3]["start"] = -1
    with pytest.raises(DataProblemsError, match="train"):
        audit({"train": rows})
