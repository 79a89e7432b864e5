"""Transcripts with the faults of speech recognition, and the errors that they hold."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.reliance.transcripts import Vocabulary, WrongWords, without_diacritics, without_tones
from vietmer_core.reliance.word_errors import WordErrors, word_errors, words_of

SENTENCES = ["tôi rất bực mình vì mạng chậm", "hôm nay trời đẹp quá", "em xin lỗi chị ạ !", "không ai nghe máy cả"]
VOCABULARY = Vocabulary.of(SENTENCES)
Words = st.lists(st.sampled_from("abcd"), max_size=7)
Texts = st.lists(st.sampled_from([*VOCABULARY.words, "!", "lạ"]), max_size=12).map(" ".join)


def wrong(rate: float, *, seed: int = 0) -> WrongWords:
    return WrongWords(rate=rate, vocabulary=VOCABULARY, seed=seed)


def fewest_errors(said: list[str], heard: list[str]) -> int:
    """The definition, without a table."""
    if not said or not heard:
        return len(said) + len(heard)
    same = fewest_errors(said[1:], heard[1:]) + (said[0] != heard[0])
    return min(same, fewest_errors(said[1:], heard) + 1, fewest_errors(said, heard[1:]) + 1)


@given(said=st.lists(st.sampled_from("abc"), max_size=4), heard=st.lists(st.sampled_from("abc"), max_size=4))
def test_no_fewer_errors_make_one_of_the_other(said: list[str], heard: list[str]) -> None:
    found = word_errors(said, heard)
    assert found.substitutions + found.deletions + found.insertions == fewest_errors(said, heard)
    assert found.words == len(said)
    assert len(said) - found.deletions + found.insertions == len(heard)
    assert min(found.substitutions, found.deletions, found.insertions) >= 0


def test_the_errors_of_known_texts() -> None:
    assert word_errors(["a", "b", "c", "d"], ["a", "x", "c"]) == WordErrors(words=4, substitutions=1, deletions=1)
    assert word_errors([], ["a"]) == WordErrors(insertions=1)
    both = word_errors(["a", "b"], ["a"]) + word_errors(["a", "b"], ["b", "b", "c"])
    assert both == WordErrors(words=4, substitutions=1, deletions=1, insertions=1)
    assert both.rate == 0.75
    assert WordErrors().rate == 0.0


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_the_errors_measured_are_those_asked_for(rate: float) -> None:
    total = WordErrors()
    for identity in range(3000):
        said = SENTENCES[identity % len(SENTENCES)]
        total += word_errors(words_of(said), words_of(wrong(rate)(said, identity=identity, draw=0)))
    assert total.rate == pytest.approx(rate, rel=0.06)
    errors = total.substitutions + total.deletions + total.insertions
    assert total.substitutions / errors == pytest.approx(0.6, abs=0.08)
    assert total.deletions / errors == pytest.approx(0.25, abs=0.06)


def test_counting_places_in_place_of_the_fewest_errors_is_caught() -> None:
    """The counter-example: one word left out in front would make every word behind it wrong."""
    said, heard = ["a", "b", "c", "d"], ["b", "c", "d"]
    by_place = sum(mine != other for mine, other in zip(said, heard, strict=False)) + len(said) - len(heard)
    assert by_place == 4 != fewest_errors(said, heard) == word_errors(said, heard).deletions


@given(text=Texts, identity=st.integers(0, 2**60), draw=st.integers(0, 5), rate=st.floats(0, 1))
def test_a_text_that_holds_a_word_keeps_one_and_is_drawn_alike_again(
    text: str, identity: int, draw: int, rate: float
) -> None:
    changed = wrong(rate)(text, identity=identity, draw=draw)
    assert changed == wrong(rate)(text, identity=identity, draw=draw)
    assert bool(words_of(changed)) == bool(words_of(text))
    assert changed.split().count("!") == text.split().count("!")
    assert wrong(0.0)(text, identity=identity, draw=draw) == text


def test_words_wrong_at_a_rate_are_among_those_wrong_at_a_higher_one() -> None:
    text = " ".join(f"từ{number}" for number in range(200))
    kept = [set(wrong(rate, seed=3)(text, identity=1, draw=0).split()) for rate in (0.1, 0.3, 0.6)]
    said = set(text.split())
    assert kept[2] & said < kept[1] & said < kept[0] & said


@given(word=st.sampled_from(VOCABULARY.words), number=st.floats(0, 1, exclude_max=True))
def test_a_word_is_never_substituted_by_itself(word: str, number: float) -> None:
    assert VOCABULARY.drawn(number, but=word) in set(VOCABULARY.words) - {word}
    assert VOCABULARY.drawn(number) in VOCABULARY.words


def test_words_come_by_their_shares_of_the_split() -> None:
    vocabulary = Vocabulary.of(["a a a b"])
    drawn = [vocabulary.drawn((number + 0.5) / 100) for number in range(100)]
    assert drawn.count("a") == 75
    assert {vocabulary.drawn(number / 10, but="b") for number in range(10)} == {"a"}


def test_a_vocabulary_of_one_word_or_none_gives_insertions_alone() -> None:
    for text in ("a a a", ""):
        changed = WrongWords(rate=1.0, vocabulary=Vocabulary.of([text]), seed=0)(text, identity=0, draw=0)
        assert set(words_of(changed)) == set(words_of(text))


def test_lost_marks() -> None:
    text = "Đường rất ướt, nghỉ ngơi đã: hỏi ngã nặng sắc huyền 😀"
    assert without_tones(text) == "Đương rât ươt, nghi ngơi đa: hoi nga năng săc huyên 😀"
    assert without_diacritics(text) == "Duong rat uot, nghi ngoi da: hoi nga nang sac huyen 😀"


@given(text=st.text(max_size=30))
def test_lost_marks_stay_lost_and_normal(text: str) -> None:
    for change in (without_tones, without_diacritics):
        once = change(text)
        assert change(once) == once == unicodedata.normalize("NFC", once)
