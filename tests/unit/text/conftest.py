"""Small tokenizers of each kind, and the real vocabulary of PhoBERT where it is there."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from vietmer_core.text.subwords import Subwords

SHARED = Path(__file__).parents[4] / "shared" / "data"
WORDS = ("khách_hàng", "rất", "hài_lòng", "bực_mình", "không", "hoà", "hòa", "tôi", "một", "ba", ",")


def write_phobert(folder: Path, words: Sequence[str]) -> None:
    """A vocabulary in which each of the words is one token, and every other word falls into letters."""
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        symbols = [*word[:-1], f"{word[-1]}</w>"]
        while len(symbols) > 1:
            merges[symbols[0], symbols[1]] = None
            symbols[:2] = [symbols[0] + symbols[1]]
    letters = sorted({letter for word in words for letter in word if letter != "à"})
    tokens = dict.fromkeys([*words, *letters, *(f"{letter}@@" for letter in letters)])
    (folder / "vocab.txt").write_text("".join(f"{token} 1\n" for token in tokens), encoding="utf-8")
    codes = "".join(f"{first} {second} 1\n" for first, second in merges)
    (folder / "bpe.codes").write_text(codes, encoding="utf-8")


@pytest.fixture(scope="session")
def phobert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="PhoBERT's tokenizer is that of transformers")
    folder = tmp_path_factory.mktemp("phobert")
    write_phobert(folder, WORDS)
    return folder


@pytest.fixture(scope="session")
def phobert(phobert_folder: Path) -> Subwords:
    return Subwords(folder=phobert_folder, kind="phobert")


@pytest.fixture(scope="session")
def spm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an `spm.model` as DeBERTa's: its four special ids first, published normaliser."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="an spm.model is read by sentencepiece")
    folder = tmp_path_factory.mktemp("deberta")
    corpus = ["khách_hàng rất hài_lòng ...", "tôi không bực_mình A B 1 2", "một ba tôi ... khách_hàng không"] * 10
    with (folder / "spm.model").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus),
            model_writer=model,
            vocab_size=60,
            model_type="unigram",
            hard_vocab_limit=False,
            user_defined_symbols=["[MASK]"],
            minloglevel=2,
            **{f"{name}_id": index for index, name in enumerate(("pad", "bos", "eos", "unk"))},
            **dict(zip(("pad_piece", "bos_piece", "eos_piece", "unk_piece"), SPECIAL, strict=True)),
        )
    return folder


SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")


@pytest.fixture(scope="session")
def json_folder(spm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pieces as a `tokenizer.json`, with a normaliser that only the file knows."""
    tokenizers = pytest.importorskip("tokenizers", reason="a tokenizer.json is read by tokenizers")
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_file=str(spm_folder / "spm.model"))
    rows = [(pieces.id_to_piece(index), pieces.get_score(index)) for index in range(pieces.get_piece_size())]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(rows, unk_id=3))
    tokenizer.normalizer = tokenizers.normalizers.NFKC()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens([*SPECIAL, "[MASK]"])
    tokenizer.enable_truncation(3)
    folder = tmp_path_factory.mktemp("deberta_json")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def real_phobert() -> Subwords:
    folder = SHARED / "phobert_tokenizer"
    if not folder.is_dir():
        pytest.skip("the vocabulary of PhoBERT is not beside the repository")
    pytest.importorskip("transformers", reason="PhoBERT's tokenizer is that of transformers")
    return Subwords(folder=folder, kind="phobert")
