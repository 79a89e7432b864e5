"""Transcript → ids."""

import multiprocessing
import pickle
from pathlib import Path

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vietmer_core.errors import CheckpointError, DataError
from vietmer_core.protocols import TextFrontend
from vietmer_core.text import frontend as module
from vietmer_core.text.abbreviations import ABBREVIATIONS_VERSION
from vietmer_core.text.frontend import TokenFrontend, WordFrontend
from vietmer_core.text.params import ToneStyle, TranscriptParams
from vietmer_core.text.segmenters import Segmenter
from vietmer_core.text.subwords import Subwords
from vietmer_core.text.unreadable import contents, shortened

BEGIN, END, UNKNOWN = 0, 2, 3
WORDS = st.sampled_from(["khách_hàng", "rất", "hòa", "hoà", "🤣", "100k", "ko", "tôi", ",", "한국"])
TEXTS = st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=20) | st.text(st.characters(), max_size=8)


def make(subwords: Subwords, **changes: object) -> TokenFrontend:
    return TokenFrontend.from_params(
        TranscriptParams.model_validate({"segmenter": "none", **changes}), subwords=subwords
    )


def ids(tokens: Tensor) -> list[int]:
    return tokens[:, 0].tolist()


def test_a_transcript_becomes_ids_between_begin_and_end(phobert: Subwords) -> None:
    frontend = make(phobert)
    assert isinstance(frontend, TextFrontend)
    tokens = frontend("khách_hàng  rất\nhài_lòng")
    assert tokens.shape == (5, 1)
    assert tokens.dtype == torch.int64
    assert ids(tokens) == [BEGIN, 4, 5, 6, END]
    assert frontend.tokens_cut("khách_hàng rất hài_lòng") == 0


@pytest.mark.parametrize("nothing", ["", "  \n", "\u200b", "\ufe0f \u0301"])
def test_no_words_give_no_ids_at_all(phobert: Subwords, nothing: str) -> None:
    assert make(phobert)(nothing).shape == (0, 1)
    assert make(phobert).tokens_cut(nothing) == 0


@pytest.mark.parametrize(("style", "known"), [("new", "hoà"), ("old", "hòa")])
def test_the_tone_style_decides_which_word_is_looked_up(phobert: Subwords, style: ToneStyle, known: str) -> None:
    frontend = make(phobert, tone_style=style)
    assert ids(frontend("hòa")) == ids(frontend("hoà")) == ids(make(phobert, tone_style="keep")(known))


def test_numbers_and_abbreviations_are_read_where_asked(phobert: Subwords) -> None:
    plain, read = make(phobert), make(phobert, read_numbers=True, read_abbreviations=True)
    assert ids(read("ko 103")) != ids(plain("ko 103"))
    assert read.words("ko 103") == "không một trăm lẻ ba"
    assert read.words.provenance == {"segmenter": "none", "abbreviations": ABBREVIATIONS_VERSION}
    assert plain.words.provenance == {"segmenter": "none"}


def test_segmenters_read_the_new_style_whatever_is_written_out() -> None:
    pytest.importorskip("pyvi", reason="pyvi is not installed")
    style = {
        wanted: WordFrontend(
            segmenter=Segmenter("pyvi"), tone_style=wanted, read_numbers=False, read_abbreviations=False
        )("thằng tàu hỏa lái dở")
        for wanted in ("old", "new")
    }
    assert style == {"old": "thằng tàu_hỏa lái dở", "new": "thằng tàu_hoả lái dở"}


def cut_is_right(tokens: list[int], whole: list[int], *, max_tokens: int, cut: int) -> None:
    assert len(tokens) == min(len(whole), max_tokens)
    assert cut == len(whole) - len(tokens)
    if not tokens:
        return
    tail = (max_tokens - 2) // 2 if cut else 0
    middle = len(tokens) - 2 - tail
    assert (tokens[0], tokens[-1]) == (BEGIN, END)
    assert tokens[: middle + 1] == whole[: middle + 1]
    assert tokens[len(tokens) - tail - 1 :] == whole[len(whole) - tail - 1 :]


@given(text=TEXTS, max_tokens=st.integers(4, 12))
def test_a_long_transcript_keeps_both_ends(phobert: Subwords, text: str, max_tokens: int) -> None:
    frontend = make(phobert, max_tokens=max_tokens, unreadable="keep")
    whole = ids(make(phobert, max_tokens=10_000, unreadable="keep")(text))
    cut_is_right(ids(frontend(text)), whole, max_tokens=max_tokens, cut=frontend.tokens_cut(text))


@pytest.mark.parametrize(("max_tokens", "kept"), [(4, [4, 8]), (5, [4, 5, 8]), (6, [4, 5, 7, 8]), (7, [4, 5, 6, 7, 8])])
def test_the_odd_token_is_one_of_the_head(phobert: Subwords, max_tokens: int, kept: list[int]) -> None:
    text = "khách_hàng rất hài_lòng bực_mình không"
    frontend = make(phobert, max_tokens=max_tokens)
    assert ids(frontend(text)) == [BEGIN, *kept, END]
    assert frontend.tokens_cut(text) == 7 - max_tokens


def test_a_cut_that_loses_the_end_or_is_not_counted_is_seen() -> None:
    whole = [BEGIN, 4, 5, 6, 7, 8, END]
    cut_is_right([BEGIN, 4, 5, 8, END], whole, max_tokens=5, cut=2)
    for tokens, cut in (([BEGIN, 4, 5, 6, 7], 2), ([BEGIN, 4, 7, 8, END], 2), ([BEGIN, 4, 5, 8, END], 0)):
        with pytest.raises(AssertionError):
            cut_is_right(tokens, whole, max_tokens=5, cut=cut)


@given(text=TEXTS)
def test_any_text_gives_ids_or_one_sentence(phobert: Subwords, text: str) -> None:
    reading = {"read_numbers": True, "read_abbreviations": True}
    kept = ids(make(phobert, unreadable="keep", **reading)(text))
    if kept and set(kept[1:-1]) == {UNKNOWN}:
        with pytest.raises(DataError, match=r"\Athe transcript `[^\n]*\Z"):
            make(phobert, **reading)(text)
    else:
        assert ids(make(phobert, **reading)(text)) == kept
        assert kept[1:-1].count(BEGIN) + kept[1:-1].count(END) == 0


@pytest.mark.parametrize(
    ("transcript", "holds"),
    [
        ("🤣🤣 😡", "only emoji or other symbols"),
        ("안녕하세요", "only Hangul letters"),
        ("สวัสดี 🤣", "only emoji or other symbols and Thai letters"),
        ("zzz", "only words that are not in it"),
    ],
)
def test_a_transcript_without_a_known_token_is_refused_or_kept(phobert: Subwords, transcript: str, holds: str) -> None:
    with pytest.raises(DataError, match=holds) as caught:
        make(phobert)(transcript)
    assert f"`{transcript}`" in str(caught.value)
    assert "unreadable: keep" in str(caught.value)
    kept = ids(make(phobert, unreadable="keep")(transcript))
    assert set(kept[1:-1]) == {UNKNOWN}
    assert len(ids(make(phobert)(f"{transcript} tôi"))) == len(kept) + 1  # one known word is enough


def test_a_long_transcript_is_quoted_short() -> None:
    assert shortened("a " * 50) == f"{('a ' * 20)}…"
    assert shortened("a\nb") == "a b"
    assert contents("漢字 đ") == "CJK letters and words that are not in it"


def test_a_folder_without_a_tokenizer_is_refused_before_any_transcript(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="must hold the tokenizer's"):
        make(Subwords(folder=tmp_path, kind="phobert"))


def test_max_tokens_below_four_is_refused(phobert: Subwords) -> None:
    with pytest.raises(ValueError, match="max_tokens"):
        attrs.evolve(make(phobert), max_tokens=3)


def test_a_transcript_is_prepared_once_and_again_for_other_choices(
    phobert: Subwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    module._short_ids.cache_clear()
    seen: list[str] = []

    def noted(text: str) -> str:
        seen.append(text)
        return text

    monkeypatch.setattr(module, "normalise", noted)
    for frontend in (make(phobert), make(phobert), make(phobert, max_tokens=5)):
        frontend("tôi hòa")
        frontend.tokens_cut("tôi hòa")
    assert len(seen) == 1  # the cut does not matter to what is kept
    make(phobert, tone_style="old")("tôi hòa")
    make(phobert)("tôi hoà")
    assert len(seen) == 3
    module._short_ids.cache_clear()


def test_the_caches_are_bounded(phobert: Subwords) -> None:
    assert module._short_ids.cache_info().maxsize == 16_384
    before = module._short_ids.cache_info().currsize
    make(phobert)("tôi " * 1_000)
    assert module._short_ids.cache_info().currsize == before
    assert module._long_ids.cache_info().maxsize == 16


def test_a_frontend_survives_pickle(phobert: Subwords) -> None:
    frontend = make(phobert)
    again = pickle.loads(pickle.dumps(frontend))  # noqa: S301  # our own bytes
    assert torch.equal(again("tôi rất hòa"), frontend("tôi rất hòa"))


@pytest.mark.slow
def test_a_spawned_worker_reads_the_same(phobert: Subwords) -> None:
    frontend = make(phobert, max_tokens=4)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(frontend.tokens_cut, ("tôi rất không tôi",)) == frontend.tokens_cut("tôi rất không tôi") == 2


def test_the_second_kind_of_vocabulary_serves_the_same_frontend(spm_folder: Path) -> None:
    frontend = make(Subwords(folder=spm_folder, kind="deberta"))
    tokens = ids(frontend("khách_hàng rất hài_lòng"))
    assert (tokens[0], tokens[-1]) == (1, 2)
    assert 3 not in tokens
    for unreadable in ("🤣", "🤣 🤣"):  # SentencePiece knows the space before each
        with pytest.raises(DataError, match="emoji"):
            frontend(unreadable)
