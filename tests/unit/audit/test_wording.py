import unicodedata
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from vietmer_core.audit.wording import normalised, resemblance, signature

SYLLABLES = "anh chị em ơi hôm nay trời mưa to quá tôi muốn hỏi về gói cước này đơn hàng chưa thấy giao"
LETTERS = "aăâbcdđeêghiklmnoôơpqrstuưvxyáàảãạếềểễệốớừựý"
sentences = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=12).map(" ".join)


def check_typing(normalise: Callable[[str], str]) -> None:
    @settings(phases=[Phase.generate])  # the counter-example need not be the smallest
    @given(sentences, st.sampled_from([" ", "  ", ", ", " … ", " 😡 ", ". "]), st.sampled_from(["NFC", "NFD"]))
    def holds(text: str, gap: str, form: Literal["NFC", "NFD"]) -> None:
        typed = unicodedata.normalize(form, text.replace(" ", gap).upper() + "!")
        assert normalise(typed) == normalise(text)

    holds()


def test_the_same_words_typed_otherwise_are_the_same() -> None:
    check_typing(normalised)


def test_folding_case_alone_fails_that_property() -> None:
    with pytest.raises(AssertionError):
        check_typing(str.casefold)


def test_nothing_is_said_in_blanks_and_signs() -> None:
    assert [normalised(text) for text in (None, "", "  ", '- - " 😡', "_")] == [""] * 5


def test_resemblance_is_that_of_the_sets_of_trigrams() -> None:
    assert resemblance("tôi vui", "tôi vui") == 1
    assert resemblance("abcd", "xyzt") == 0
    assert resemblance("ab", "ab c") == 2 / 4  # of " ab", "ab ", "b c" and " c " the first two


def test_the_share_of_equal_hashes_estimates_resemblance() -> None:
    words = SYLLABLES.split(" ")
    generator = np.random.default_rng(0)
    errors = []
    for _ in range(60):
        one = generator.choice(words, size=12).tolist()
        other = [*one[: int(generator.integers(0, 12))], *generator.choice(words, size=3).tolist()]
        equal = float((signature(" ".join(one)) == signature(" ".join(other))).mean())
        errors.append(equal - resemblance(" ".join(one), " ".join(other)))
    assert abs(np.mean(errors)) < 0.03
    assert np.std(errors) < 0.12  # sqrt(.25 / 32) = .09 at most


def test_an_empty_sentence_has_an_empty_signature() -> None:
    assert not signature("").any()
    assert signature("a").any()
