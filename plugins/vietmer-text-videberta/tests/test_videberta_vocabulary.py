"""From transcripts to ids, by `tokenizer.json` and by `spm.model`."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer
from transformers import DebertaV2Model
from vietmer_text_videberta.loading import load_encoder, load_frontend
from vietmer_text_videberta.plugin import TINY, VidebertaParams

from vietmer_core.errors import AssemblyError, DataError
from vietmer_core.sequence import pad_rows

ParamsOf = Callable[..., VidebertaParams]
BEGIN, END = 1, 2
SENTENCES = (
    "tôi không hài_lòng với dịch_vụ",
    "em cảm_ơn quý_khách ạ",
    "tổng_đài hứa gọi lại cho khách_hàng",
    "đừng gọi nữa , tôi chờ lâu quá rồi !",
)


def pieces_of(ids: list[int]) -> list[str]:
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    return [str(tokenizer.id_to_token(token)) for token in ids]


def test_syllables_are_joined_as_pyvi_does(params_of: ParamsOf) -> None:
    transcript = "khách hàng không hài lòng"
    joined, apart = (
        "".join(pieces_of(load_frontend(params_of(segmenter=segmenter))(transcript).flatten().tolist()))
        for segmenter in ("pyvi", "none")
    )
    assert joined == "[CLS]▁khách_hàng▁không▁hài_lòng[SEP]"
    assert apart == "[CLS]▁khách▁hàng▁không▁hài▁lòng[SEP]"


def test_from_transcripts_to_frames_as_transformers(saved: Callable[..., Path]) -> None:
    folder = saved()
    params = VidebertaParams(checkpoint=str(folder))
    frontend, encoder = load_frontend(params), load_encoder(params).eval()
    plain = DebertaV2Model.from_pretrained(folder)
    rows = [frontend(transcript) for transcript in (*SENTENCES, "")]
    batch = encoder(pad_rows(rows))
    assert batch.lengths.tolist() == [*map(len, rows[:-1]), 0]
    for index, row in enumerate(rows[:-1]):
        assert row[[0, -1], 0].tolist() == [BEGIN, END]
        with torch.no_grad():
            expected = plain(input_ids=row.T).last_hidden_state[0]
        assert (batch.features[index, : len(row)] - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_sentencepiece_model_is_read_where_there_is_no_json(saved: Callable[..., Path]) -> None:
    folder, model = saved(), io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        vocab_size=50,
        model_type="unigram",
        pad_id=0,
        pad_piece="[PAD]",
        bos_id=1,
        bos_piece="[CLS]",
        eos_id=2,
        eos_piece="[SEP]",
        unk_id=3,
        unk_piece="[UNK]",
        minloglevel=2,
    )
    (folder / "tokenizer.json").unlink()
    (folder / "spm.model").write_bytes(model.getvalue())
    params = VidebertaParams(checkpoint=str(folder), segmenter="none")
    ids = load_frontend(params)("tôi chờ lâu").flatten().tolist()
    assert (ids[0], ids[-1], 3 in ids) == (BEGIN, END, False)
    assert load_encoder(params)(pad_rows([torch.tensor(ids)[:, None]])).features.shape == (1, len(ids), 8)


@pytest.mark.parametrize(("transcript", "told"), [("😡😡", "emoji"), ("สวัสดีครับ", "(?i)thai")])
def test_what_the_vocabulary_cannot_read_is_refused(params_of: ParamsOf, transcript: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        load_frontend(params_of(unreadable="refuse"))(transcript)
    kept = load_frontend(params_of(unreadable="keep"))(transcript).flatten().tolist()
    assert set(pieces_of(kept)) <= {"[CLS]", "▁", "[UNK]", "[SEP]"}


def test_a_long_transcript_keeps_head_and_tail_and_the_cut_is_counted(params_of: ParamsOf) -> None:
    transcript = " ".join(SENTENCES)
    every = load_frontend(params_of(max_tokens=512))(transcript).flatten().tolist()
    frontend = load_frontend(params_of(max_tokens=7))
    found = frontend(transcript).flatten().tolist()
    assert found == [*every[:4], *every[-3:]]
    assert frontend.tokens_cut(transcript) == len(every) - 7
    assert frontend.tokens_cut("em") == 0


def test_max_tokens_512_is_read_and_513_refused(params_of: ParamsOf) -> None:
    longest = load_frontend(params_of(max_tokens=512))("em " * 600)
    assert len(longest) == 512
    assert load_encoder(params_of(max_tokens=512))(pad_rows([longest])).features.shape == (1, 512, 8)
    for load in (load_encoder, load_frontend):
        with pytest.raises(AssemblyError, match=r"`text.max_tokens` must be at most 512 .* but is 513 instead"):
            load(params_of(max_tokens=513))


@pytest.mark.parametrize("transcript", ["", "  \n"])
def test_nothing_said_gives_no_tokens(params_of: ParamsOf, transcript: str) -> None:
    assert load_frontend(params_of())(transcript).shape == (0, 1)


def test_pickle_takes_a_few_bytes_along(params_of: ParamsOf) -> None:
    frontend = load_frontend(params_of())
    frontend("khách_hàng")
    packed = pickle.dumps(frontend)
    assert len(packed) < 2_048
    assert pickle.loads(packed)("em gọi").tolist() == frontend("em gọi").tolist()  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_tokens": 3}, "greater than or equal to 4"),
        ({"segmenter": "vncorenlp"}, "'underthesea', 'pyvi' or 'none'"),
        ({"pooling": "cls"}, "Extra inputs are not permitted"),
        ({"checkpoint": "not an id"}, "must be an id on the hub"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VidebertaParams.model_validate(wrong)


def test_defaults() -> None:
    params = VidebertaParams()
    assert (params.checkpoint, params.segmenter, params.max_tokens) == ("Fsoft-AIC/videberta-base", "pyvi", 96)
    assert params.freeze
