"""From transcripts to ids, with the tiny vocabulary and with the real one of PhoBERT."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import RobertaConfig, RobertaModel
from vietmer_text_phobert.loading import load_encoder, load_frontend
from vietmer_text_phobert.plugin import PhobertParams

from vietmer_core.errors import AssemblyError, DataError
from vietmer_core.sequence import pad_rows

REAL = Path(__file__).parents[4] / "shared" / "data" / "phobert_tokenizer"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="PhoBERT's vocabulary is not in `../shared/data`")

ParamsOf = Callable[..., PhobertParams]
BEGIN, END, UNKNOWN = 0, 2, 3


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A checkpoint with PhoBERT's vocabulary and as many embeddings, but 16 wide and of two layers."""
    folder = tmp_path / "phobert"
    config = RobertaConfig(
        vocab_size=64_001,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=258,
        type_vocab_size=1,
        initializer_range=0.2,
    )
    RobertaModel(config).save_pretrained(folder)
    for file in ("vocab.txt", "bpe.codes"):
        (folder / file).write_bytes((REAL / file).read_bytes())
    return folder


def ids_of(folder: Path, transcript: str, **given: Any) -> list[int]:
    frontend = load_frontend(PhobertParams(checkpoint=str(folder), **given))
    return frontend(transcript).flatten().tolist()


@needs_real
def test_words_of_phobert_have_its_ids(real: Path) -> None:
    expected = [BEGIN, 70, 17, 2273, 478, 2273, END]
    assert ids_of(real, "tôi không hài_lòng khách_hàng hài_lòng", segmenter="none") == expected


@needs_real
@pytest.mark.parametrize("segmenter", ["underthesea", "pyvi"])
def test_syllables_are_joined_before_they_are_looked_up(real: Path, segmenter: str) -> None:
    transcript = "Tôi không hài lòng với cách chăm sóc khách hàng"
    joined = ids_of(real, transcript, segmenter=segmenter)
    assert {2273, 838, 478} <= set(joined)  # hài_lòng, chăm_sóc, khách_hàng
    apart = ids_of(real, transcript, segmenter="none")
    assert not {2273, 838, 478} & set(apart)
    assert len(joined) < len(apart)


@needs_real
def test_from_transcripts_to_frames_as_transformers(real: Path) -> None:
    params = PhobertParams(checkpoint=str(real))
    frontend, encoder = load_frontend(params), load_encoder(params).eval()
    plain = RobertaModel.from_pretrained(real, add_pooling_layer=False)
    transcripts = [
        "Dạ em chào anh, em gọi từ trung tâm chăm sóc khách hàng ạ.",
        "",
        "Tổng đài hứa xử lý trong hai mươi bốn giờ mà đến giờ vẫn chưa thấy gì!",
        "Thôi được.",
    ]
    rows = [frontend(transcript) for transcript in transcripts]
    batch = encoder(pad_rows(rows))
    assert batch.lengths.tolist() == [len(row) for row in rows]
    assert batch.lengths[1] == 0
    for index, row in enumerate(rows):
        if len(row):
            with torch.no_grad():
                expected = plain(input_ids=row.T).last_hidden_state[0]
            found = batch.features[index, : len(row)]
            assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


@needs_real
def test_the_real_vocabulary_has_as_many_ids_as_embeddings(real: Path) -> None:
    load_encoder(PhobertParams(checkpoint=str(real)))


@needs_real
@pytest.mark.parametrize(
    ("transcript", "told"), [("😡😡", "holds only .*emoji"), ("🥰 🤣!", ""), ("ሰላም", "(?i)ethiopic")]
)
def test_what_the_vocabulary_cannot_read_is_refused(real: Path, transcript: str, told: str) -> None:
    kept = ids_of(real, transcript, segmenter="none", unreadable="keep")
    assert (set(kept[1:-1]) == {UNKNOWN}) == bool(told)
    if told:
        with pytest.raises(DataError, match=told):
            ids_of(real, transcript, segmenter="none")
    else:
        assert ids_of(real, transcript, segmenter="none") == kept


@needs_real
def test_scripts_whose_letters_the_vocabulary_holds_are_read_letter_by_letter(real: Path) -> None:
    assert len(ids_of(real, "Здравствуйте", segmenter="none")) == 12


def test_a_long_transcript_keeps_head_and_tail_and_the_cut_is_counted(params_of: ParamsOf) -> None:
    words = ["em", "tôi", "không", "vâng", "ạ", "gọi", "khách", "giận"]
    every = load_frontend(params_of(max_tokens=256))(" ".join(words)).flatten().tolist()
    frontend = load_frontend(params_of(max_tokens=7))
    found = frontend(" ".join(words)).flatten().tolist()
    assert len(found) == 7
    assert found == [*every[:4], *every[-3:]]
    assert frontend.tokens_cut(" ".join(words)) == len(every) - 7
    assert frontend.tokens_cut("em") == 0


def test_max_tokens_256_is_read_and_257_refused(params_of: ParamsOf) -> None:
    longest = load_frontend(params_of(max_tokens=256))("em " * 400)
    assert len(longest) == 256
    assert load_encoder(params_of(max_tokens=256))(pad_rows([longest])).features.shape == (1, 256, 8)
    for load in (load_encoder, load_frontend):
        with pytest.raises(AssemblyError, match=r"`text.max_tokens` must be at most 256 .* 258 positions .* is 257 in"):
            load(params_of(max_tokens=257))


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
        ({"freeze": False, "lora": {}}, "`lora` must go with `freeze: true`"),
        ({"checkpoint": "not an id"}, "must be an id on the hub"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PhobertParams.model_validate(wrong)


def test_defaults() -> None:
    params = PhobertParams()
    assert (params.checkpoint, params.segmenter, params.max_tokens) == ("vinai/phobert-base", "underthesea", 96)
    assert params.freeze
