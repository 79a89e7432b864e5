"""IEMOCAP and MELD: what is read of their files, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from vietmer_corpora.iemocap_turns import CATEGORIES, Turn
from vietmer_corpora.samples.files import write
from vietmer_corpora.texts import unmangle

from vietmer_core.errors import DataError

Read = Callable[..., Any]
Faults = Callable[..., list[str]]
Sample = Callable[[str], Path]

SCENE = Path("IEMOCAP_full_release/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt")


def test_iemocap(sample: Sample, read: Read) -> None:
    found = read("iemocap", sample("iemocap"))
    woman, man = found.rows["iemocap_Ses01F_impro01_F000"], found.rows["iemocap_Ses01F_impro01_M000"]
    assert (woman.speaker_id, man.speaker_id) == ("iemocap_01F", "iemocap_01M")
    assert (woman.label, man.label) == ("neutral", "excited")  # excited stays excited
    assert man.transcript == "Yeah! That’s great."
    assert man.audio.name == "Ses01F_impro01_M000.wav"
    assert man.metadata["recording_id"] == woman.metadata["recording_id"] == "iemocap_Ses01F_impro01"
    assert (man.metadata["valence"], man.metadata["turn_index"], man.metadata["gender"]) == (4.0, 1, "male")
    assert list(found.skipped.values()) == [1]


def test_the_soft_label_of_iemocap_counts_the_evaluators_alone(sample: Sample, read: Read) -> None:
    rows = read("iemocap", sample("iemocap")).rows
    assert rows["iemocap_Ses01F_impro01_F000"].soft_label == {"frustrated": 1 / 3, "neutral": 2 / 3}
    assert rows["iemocap_Ses01F_impro01_M000"].soft_label == {"excited": 0.75, "happy": 0.25}


def test_turns_without_agreement_may_be_kept_without_a_label(sample: Sample, read: Read) -> None:
    row = read("iemocap", sample("iemocap"), disagreed=True).rows["iemocap_Ses01F_impro01_F001"]
    assert row.label is None
    assert row.soft_label == pytest.approx({"angry": 1 / 3, "frustrated": 1 / 3, "neutral": 1 / 3})


def test_a_label_that_most_raters_did_not_choose_loses_its_soft_label_and_is_counted(
    sample: Sample, read: Read
) -> None:
    folder = sample("iemocap")
    text = (folder / SCENE).read_text(encoding="utf-8").replace("F000\tneu", "F000\tfru")
    write(folder / SCENE, text)
    found = read("iemocap", folder)
    assert found.rows["iemocap_Ses01F_impro01_F000"].soft_label is None
    assert found.notes["rows have no soft label, since their label is not what most raters chose"] == 1


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("F000\tneu", "F000\tneutral", ":3: `neutral` is no label of IEMOCAP."),
        ("C-E2:\tNeutral;", "C-E2:\tBored;", ":4: `bored` is no category of IEMOCAP."),
        ("[6.2901 - 8.2357]\t", "[6.2901 - 8.2357] ", ":3: the line is no rated turn."),
        ("Ses01F_impro01_F000\tneu", "Ses01X_F000\tneu", ":3: `Ses01X_F000` is no name of a turn of IEMOCAP."),
    ],
)
def test_a_wrong_line_of_iemocap_is_named(sample: Sample, faults: Faults, old: str, new: str, fault: str) -> None:
    folder = sample("iemocap")
    write(folder / SCENE, (folder / SCENE).read_text(encoding="utf-8").replace(old, new, 1))
    (said,) = faults("iemocap", folder)
    assert fault in said


TICKS = st.lists(st.lists(st.sampled_from(sorted(set(CATEGORIES.values()))), unique=True), max_size=6)


def turn(votes: list[list[str]]) -> Turn:
    numbers = dict.fromkeys(("start", "end", "valence", "activation", "dominance"), 0.0)
    return Turn(path=Path("a.txt"), line=1, name="t", code="xxx", votes=tuple(map(tuple, votes)), **numbers)


def keeps_its_promise(shares: Callable[[Turn], dict[str, float] | None]) -> None:
    """Shares sum to 1, are of what was ticked, and the label with most ticks has the largest."""

    @settings(phases=[Phase.generate])
    @given(votes=TICKS)
    def holds(votes: list[list[str]]) -> None:
        found = shares(turn(votes))
        ticks = [label for vote in votes for label in vote]
        if not ticks:
            assert found is None
            return
        assert found is not None
        assert sum(found.values()) == pytest.approx(1)
        assert set(found) == set(ticks)
        most = max(ticks, key=ticks.count)
        assert found[most] == max(found.values())

    holds()


def test_soft_labels_keep_their_promise() -> None:
    keeps_its_promise(Turn.shares)


def test_one_vote_a_rater_shared_among_his_ticks_does_not() -> None:
    """The other usual rule can give another label the most: it would contradict the label of the corpus."""

    def by_rater(found: Turn) -> dict[str, float] | None:
        shares: dict[str, float] = {}
        voters = [vote for vote in found.votes if vote]
        for vote in voters:
            for label in vote:
                shares[label] = shares.get(label, 0) + 1 / len(vote) / len(voters)
        return shares or None

    with pytest.raises(AssertionError):
        keeps_its_promise(by_rater)


def test_meld_in_the_splits_of_the_authors(sample: Sample, read: Read) -> None:
    rows = read("meld", sample("meld")).rows
    assert [(row.split, row.label) for row in rows.values()] == [
        ("valid", "sadness"),
        ("test", "surprise"),
        ("train", "neutral"),
    ]
    row = rows["meld_train_dia0_utt0"]
    assert (row.speaker_id, row.transcript) == ("meld_Joey", "also I was the point person, y’know?")
    assert row.audio.parent.name == "train_splits"
    assert row.metadata["recording_id"] == "meld_s08e21"
    assert row.metadata["sentiment"] == "neutral"
    assert row.metadata["episode_end"] == pytest.approx(981.731)
    assert rows["meld_valid_dia0_utt0"].transcript == 'Oh my God, he’s lost it. "Totally".'


def test_video_is_refused_with_what_makes_sound_of_it(sample: Sample, read: Read) -> None:
    folder = sample("meld")
    for clip in list(folder.rglob("*.wav")):
        clip.rename(clip.with_suffix(".mp4"))
    with pytest.raises(
        DataError, match=r"are video, which is not read. Make sound of them: `for clip .*ffmpeg.*text_only"
    ):
        read("meld", folder)
    assert {row.audio for row in read("meld", folder, text_only=True).rows.values()} == {None}


def test_a_table_of_meld_in_windows_1252_is_read(sample: Sample, read: Read) -> None:
    folder = sample("meld")
    path = folder / "dev_sent_emo.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    assert read("meld", folder).rows["meld_valid_dia0_utt0"].transcript.startswith("Oh my God, he’s")


def test_a_wrong_row_of_meld_is_named(sample: Sample, faults: Faults) -> None:
    folder = sample("meld")
    path = folder / "test_sent_emo.csv"
    write(path, path.read_text(encoding="utf-8").replace("surprise", "surprised"))
    (said,) = faults("meld", folder)
    assert said.startswith("meld/test_sent_emo.csv:2: Emotion: must be one of anger, disgust, fear, joy, neutral,")


@pytest.mark.parametrize(("text", "mended"), [("he\x92s", "he’s"), ("\x93a\x94", "“a”"), ("tôi\x81", "tôi\x81")])
def test_punctuation_read_as_latin_1_is_mended(text: str, mended: str) -> None:
    assert unmangle(text) == mended
