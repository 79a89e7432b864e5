"""Subword tokenizers from the folder of a checkpoint."""

import itertools
import json
import pickle
import threading
from pathlib import Path

import pytest

from vietmer_core.errors import CheckpointError
from vietmer_core.text.subwords import SubwordKind, Subwords

VSMEC = Path(__file__).parents[4] / "shared" / "data" / "vsmec_text" / "train.jsonl"


def test_known_words_are_one_id_and_others_fall_apart(phobert: Subwords) -> None:
    vocabulary = phobert.vocabulary()
    assert (vocabulary.begin, vocabulary.end, vocabulary.unknown) == (0, 2, 3)
    (known,) = vocabulary.encode("khách_hàng")
    assert known == 4  # the first line of vocab.txt
    assert len(vocabulary.encode("khôn")) > 1
    assert vocabulary.encode("🤣") == [3]
    assert vocabulary.encode("") == []


@pytest.mark.parametrize("text", ["<s>", "<pad> </s> <mask>", "tôi <pad> tôi"])
def test_special_tokens_in_a_transcript_are_text(phobert: Subwords, text: str) -> None:
    special = {0, 1, 2, phobert.vocabulary().size - 1}
    assert special.isdisjoint(phobert.vocabulary().encode(text))
    from transformers import PhobertTokenizer

    files = [str(file) for file in phobert.require_files()]
    plain = PhobertTokenizer(vocab_file=files[0], merges_file=files[1])  # type: ignore[no-untyped-call]
    assert not special.isdisjoint(plain(text, add_special_tokens=False)["input_ids"])  # as it is by default


def reference_bpe(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    """fastBPE: join the pair of best rank, everywhere in the word, until none is known."""
    symbols = [*word[:-1], f"{word[-1]}</w>"]
    while True:
        pairs = [pair for pair in itertools.pairwise(symbols) if pair in ranks]
        if not pairs:
            break
        best, joined, index = min(pairs, key=ranks.__getitem__), [], 0
        while index < len(symbols):
            two = tuple(symbols[index : index + 2])
            joined.append("".join(two) if two == best else symbols[index])
            index += 2 if two == best else 1
        symbols = joined
    return [*(f"{symbol}@@" for symbol in symbols[:-1]), symbols[-1].removesuffix("</w>")]


def test_real_sentences_are_cut_as_fastbpe_and_fairseq_cut_them(real_phobert: Subwords) -> None:
    if not VSMEC.is_file():
        pytest.skip("the sentences of UIT-VSMEC are not beside the repository")
    vocab_file, codes_file = real_phobert.require_files()
    rows = [line.split(" ") for line in codes_file.read_text(encoding="utf-8").split("\n") if line]
    ranks = {(row[0], row[1]): rank for rank, row in enumerate(rows)}
    lines = [line for line in vocab_file.read_text(encoding="utf-8").split("\n") if line]
    ids = {line.rpartition(" ")[0]: index for index, line in enumerate(lines, start=4)}
    vocabulary = real_phobert.vocabulary()
    assert (len(ids), vocabulary.size) == (63_996, 64_001)
    for line in VSMEC.read_text(encoding="utf-8").splitlines()[:150]:
        sentence = json.loads(line)["transcript"]
        pieces = [piece for word in sentence.split() for piece in reference_bpe(word, ranks)]
        assert vocabulary.encode(sentence) == [ids.get(piece, 3) for piece in pieces]


def test_an_spm_model_is_read_as_sentencepiece_reads_it(spm_folder: Path) -> None:
    vocabulary = Subwords(folder=spm_folder, kind="deberta").vocabulary()
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_file=str(spm_folder / "spm.model"))
    assert (vocabulary.begin, vocabulary.end, vocabulary.unknown) == (1, 2, 3)
    assert vocabulary.size == pieces.get_piece_size()
    for text in ("khách_hàng rất hài_lòng", "… Ａ", "🤣"):
        assert vocabulary.encode(text) == pieces.encode(text)
    assert 3 in vocabulary.encode("🤣")


def test_a_tokenizer_json_is_followed_to_the_letter(json_folder: Path) -> None:
    vocabulary = Subwords(folder=json_folder, kind="deberta").vocabulary()
    assert vocabulary.encode("Ａ") == vocabulary.encode("A")  # its normaliser is NFKC
    assert 3 not in vocabulary.encode("Ａ")
    assert len(vocabulary.encode("tôi không bực_mình một ba")) > 3  # its truncation is not ours
    from transformers import DebertaV2Tokenizer

    theirs = DebertaV2Tokenizer.from_pretrained(json_folder)
    assert 3 in theirs("Ａ", add_special_tokens=False)["input_ids"]  # builds a normaliser of its own


@pytest.mark.parametrize("fixture", ["spm_folder", "json_folder"])
def test_special_tokens_of_deberta_in_a_transcript_are_no_special_ids(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    vocabulary = Subwords(folder=request.getfixturevalue(fixture), kind="deberta").vocabulary()
    mask = 4  # user_defined_symbols follow the four
    assert {0, 1, 2, mask}.isdisjoint(vocabulary.encode("tôi [PAD] [CLS] [SEP] [MASK] ba"))


@pytest.mark.parametrize(
    ("kind", "wanted"), [("phobert", "`vocab.txt` and `bpe.codes`"), ("deberta", "`tokenizer.json` or `spm.model`")]
)
def test_a_folder_without_a_tokenizer_is_one_sentence(kind: SubwordKind, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("tôi 1\n", encoding="utf-8")  # half a tokenizer is none
    for ask in (Subwords.require_files, Subwords.vocabulary):
        with pytest.raises(CheckpointError, match=wanted):
            ask(Subwords(folder=tmp_path, kind=kind))


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("phobert", {"vocab.txt": "no count\nbroken", "bpe.codes": "a b 1\n"}),
        ("deberta", {"tokenizer.json": "{}"}),
        ("deberta", {"spm.model": "text"}),
    ],
)
def test_broken_files_are_one_sentence(kind: SubwordKind, files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Subwords(folder=tmp_path, kind=kind).vocabulary()


def test_a_vocabulary_of_another_architecture_is_refused(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0}, "<unk>")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=r"must hold the token `\[CLS\]`"):
        Subwords(folder=tmp_path, kind="deberta").vocabulary()


def test_a_tokenizer_is_loaded_once_and_pickles_as_its_folder(phobert: Subwords) -> None:
    copies = [pickle.loads(pickle.dumps(phobert)) for _ in range(2)]  # noqa: S301  # our own bytes
    assert len(pickle.dumps(phobert)) < 500
    assert copies[0].vocabulary() is copies[1].vocabulary() is phobert.vocabulary()


def test_threads_get_the_same_ids(phobert: Subwords) -> None:
    texts = [f"khách_hàng {index % 7} khôn{'g' * (index % 5)} rất" for index in range(200)]
    alone = [phobert.vocabulary().encode(text) for text in texts]
    found: list[list[list[int]]] = []

    def read() -> None:
        found.append([list(phobert.vocabulary().encode(text)) for text in texts])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4
