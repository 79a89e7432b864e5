import json
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import pytest
from calls import plan_calls
from hypothesis import given
from hypothesis import strategies as st
from sentences import Supply, Wording
from speakers import SPLITS
from texts import Said, deal, keep_splits_apart, write_texts

SEED: Final = 20
DATA: Final = Path(__file__).parents[3] / "plugins/vietmer-corpus-demo/src/vietmer_corpus_demo/data"
WORDS: Final = ("quá", "đáng", "thật", "đơn", "hàng", "{me}", "chờ")
FIRST: Final = Said(
    call_id="call_0001",
    split="train",
    accent="northern",
    emotion="angry",
    content="angry",
    address={"me": "tôi", "you": "em"},
    wording=Wording("đơn hàng trễ năm ngày rồi, thật quá đáng", "frame"),
)


def said_again(text: str) -> Said:
    return attrs.evolve(FIRST, split="valid", wording=Wording(text, "frame"))


def repeats_of(said: list[Said]) -> list[tuple[str, str]]:
    """The texts of every two turns of different splits that repeat one another."""
    return [
        (earlier.text, later.text)
        for place, later in enumerate(said)
        for earlier in said[:place]
        if earlier.split != later.split and later.repeats(earlier)
    ]


@pytest.fixture(scope="module")
def dealt_and_kept() -> tuple[list[Said], list[Said]]:
    rng = np.random.default_rng([SEED, 1])
    supply = Supply(rng=rng)
    dealt = deal(plan_calls(rng=np.random.default_rng([SEED, 0])), supply=supply, rng=rng)
    return dealt, keep_splits_apart(dealt, supply=supply)


def test_the_corpus_says_what_the_scripts_write() -> None:
    manifests = [(DATA / f"{split}.jsonl").read_text(encoding="utf-8") for split in SPLITS]
    calls = plan_calls(rng=np.random.default_rng([SEED, 0]))
    _, kept = write_texts(calls, rng=np.random.default_rng([SEED, 1]))
    shipped = [json.loads(line)["transcript"] for manifest in manifests for line in manifest.splitlines()]
    assert shipped == [text for call in kept for text in call]


def test_no_turn_repeats_one_of_another_split(dealt_and_kept: tuple[list[Said], list[Said]]) -> None:
    dealt, kept = dealt_and_kept
    assert repeats_of(kept) == []
    assert repeats_of(dealt) == [
        ("Đơn hàng trễ năm ngày rồi, thật quá đáng.", "Quá đáng thật, đơn hàng trễ năm ngày rồi.")
    ]  # without the exchange the rule is broken


def test_only_what_repeats_is_exchanged_for_the_same_form_and_frame(
    dealt_and_kept: tuple[list[Said], list[Said]],
) -> None:
    changed = [(old, new) for old, new in zip(*dealt_and_kept, strict=True) if old != new]
    assert [old.text for old, _ in changed] == ["Quá đáng thật, đơn hàng trễ năm ngày rồi."]
    for old, new in changed:
        assert new == attrs.evolve(old, wording=new.wording)
        assert (new.wording.form, new.wording.frame) == (old.wording.form, old.wording.frame)


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).flatmap(
        lambda w: st.tuples(st.just(w), st.permutations(w))
    )
)
def test_words_repeat_in_any_order_and_address(pair: tuple[list[str], list[str]]) -> None:
    first, second = (said_again(" ".join(words)) for words in pair)
    other = attrs.evolve(second, address={"me": "chị", "you": "em"}, emotion="sad")
    assert first.repeats(second)
    assert first.repeats(other)
    assert other.repeats(first)


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("thật quá đáng, đơn hàng trễ năm ngày rồi", True),
        ("đơn hàng trễ năm ngày rồi, thật là quá đáng", True),
        ("thật quá đáng, thật quá đáng, đơn hàng trễ năm ngày rồi", True),
        ("quạt đứng giao không đúng mẫu, thật quá đáng", False),
        ("đơn hàng trễ", False),
    ],
)
def test_nearly_the_same_sentence_repeats(text: str, repeats: bool) -> None:
    assert FIRST.repeats(said_again(text)) is repeats


def test_a_sentence_with_another_label_repeats_only_with_the_same_words() -> None:
    near = said_again("đơn hàng trễ năm ngày rồi, thật là quá đáng")
    assert FIRST.repeats(near)
    assert not FIRST.repeats(attrs.evolve(near, emotion="sad"))
    assert FIRST.repeats(attrs.evolve(FIRST, emotion="sad"))


def test_a_supply_that_runs_out_says_so(dealt_and_kept: tuple[list[Said], list[Said]]) -> None:
    said = dealt_and_kept[1][0]
    supply = Supply(rng=np.random.default_rng(0))
    with pytest.raises(LookupError, match="ran out"):
        supply.exchange(said.wording, content=said.content, is_wanted=lambda _wording: False)
