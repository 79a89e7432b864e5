from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from vietmer_core.audit.names import LEVELS, folded, source_of, stem_of


def levels(name: str) -> dict[str, str | None]:
    labels = {"angry", "anger", "happiness", "fear"}
    return dict(zip(LEVELS, source_of(name, labels=labels).names, strict=True))


@pytest.mark.parametrize(
    ("name", "file", "recording", "episode", "show"),
    [
        (
            "Copy_of_Angry_scvmc17-00.25.00.160-00.25.07.845-seg2",
            "Copy_of_Angry_scvmc17",
            "angry scvmc17",
            "scvmc 17",
            "scvmc",
        ),
        (
            "wavs/AnyConv.com__fdosa-00.53.41.152-00.53.47.408-anger.wav",
            "AnyConv.com__fdosa",
            "fdosa",
            "fdosa",
            "fdosa",
        ),
        ("sods_t3-6", None, "sods t3", "sods t 3", "sods"),
        ("npx_2.5 - Made with Clipchamp.wav", None, "npx 2.5 - made with clipchamp", "npx 2", "npx"),
        ("Copy of Về nhà đi con _ 48 _4120 _ Nữ _ (21 ~ 50)", None, None, "về nhà đi con 48", "về nhà đi con"),
        (
            "happiness_hvtt-2.1-00.01.16.101-00.01.23.596-seg3",
            "happiness_hvtt-2.1",
            "happiness hvtt-2.1",
            "hvtt 2 1",
            "hvtt",
        ),
        ("show_ep2_seg03", None, "show ep2", "show ep 2", "show"),
        ("1(1)", None, None, None, None),
    ],
)
def test_a_name_is_read_at_every_level(
    name: str, file: str | None, recording: str | None, episode: str | None, show: str | None
) -> None:
    found = levels(name)
    assert found["file"] == file
    assert recording is None or found["recording"] == recording
    assert (found["episode"], found["show"]) == (episode, show)


@pytest.mark.parametrize("name", ["03-01-05-01-02-01-12", "visec_00020", "Ses01F_impro01_F000", "call_0001_00"])
def test_a_code_carries_no_mark_of_a_cut(name: str) -> None:
    assert not source_of(name).is_cut


@pytest.mark.parametrize(
    "name", ["a-00.00.01.5-00.00.02.5", "a 00.05.47.26 - 00.05.53.96", "a_seg3", "a-clip 2 [vocals]"]
)
def test_a_time_span_or_a_numbered_segment_is_the_mark_of_a_cut(name: str) -> None:
    assert source_of(name).is_cut


def test_names_are_folded_without_their_folder_and_ending() -> None:
    assert stem_of("a\\b/Clip 1.WAV") == "Clip 1"
    assert stem_of("npx_1.1") == "npx_1.1"
    assert folded("x/Copy_of_Nữ-1.wav") == "copy of nữ 1"


times = st.integers(0, 59).map("{:02d}".format)


def check_clips_of_a_source(source_at: Callable[[str, int], str | None]) -> None:
    @settings(phases=[Phase.generate])  # the counter-example need not be the smallest
    @given(
        st.text("abcdefgh", min_size=2, max_size=8),
        st.integers(1, 99),
        times,
        times,
        st.integers(0, 9),
        st.integers(0, 3),
    )
    def holds(show: str, episode: int, minute: str, second: str, segment: int, level: int) -> None:
        one = f"{show}{episode}-00.{minute}.{second}.100-00.{minute}.{second}.900-seg{segment}"
        other = f"{show}{episode}-00.10.10.000-00.10.12.000-seg1"
        assert source_at(one, level) == source_at(other, level)
        assert source_at(one, level) is not None

    holds()


def test_clips_of_one_source_agree_at_every_level() -> None:
    check_clips_of_a_source(lambda name, level: source_of(name).names[level])


def test_a_rule_that_keeps_the_time_fails_that_property() -> None:
    with pytest.raises(AssertionError):
        check_clips_of_a_source(lambda name, _: stem_of(name))
