"""The subword tokenizer of a checkpoint, read from its folder once in a process. Torch-free until first used."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, final

import attrs

from vietmer_core.errors import CheckpointError
from vietmer_core.text.locks import ForkSafeLock

SubwordKind = Literal["phobert", "deberta"]

_FILES: Final[Mapping[SubwordKind, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {"phobert": (("vocab.txt", "bpe.codes"),), "deberta": (("tokenizer.json",), ("spm.model",))}
)
"""Sets of files, any one of which is a tokenizer; the first that is there is read."""

_WORDS_KEPT: Final = 100_000
_LOCK: Final = ForkSafeLock()


@attrs.frozen(kw_only=True, eq=False)
class Vocabulary:
    """A tokenizer in memory.

    Attributes:
        encode: Text → ids, without those of its begin and end; never a special one: what looks
            like a special token in the text is text, or unknown.
        begin: Id that opens every sequence (`<s>`, `[CLS]`).
        end: Id that closes it (`</s>`, `[SEP]`).
        unknown: Id of whatever the vocabulary does not hold.
        meaningless: `unknown`, and where there is one the id of the space before a word.
        size: Number of ids.
    """

    encode: Callable[[str], Sequence[int]]
    begin: int
    end: int
    unknown: int
    meaningless: frozenset[int]
    size: int


@final
@attrs.frozen(kw_only=True)
class Subwords:
    """Which tokenizer: the folder of a checkpoint and the kind of files in it. `pickle` takes nothing else along.

    - `phobert`: `vocab.txt` and `bpe.codes`, by `PhobertTokenizer` of transformers;
    - `deberta`: `tokenizer.json`, followed to the letter by the tokenizers library, or else `spm.model`, by
      sentencepiece. Not by `DebertaV2Tokenizer` of transformers 5, which builds its own normaliser in place of the
      one in the files and so reads `…`, `½` and `Ａ` as unknown where the model was trained on `...`, `1⁄2` and `A`.

    Attributes:
        folder: Where the files are; they must not change while the process runs.
        kind: As above.
    """

    folder: Path = attrs.field(converter=Path)
    kind: SubwordKind

    def require_files(self) -> tuple[Path, ...]:
        """The files that are read; checks that they are there, imports nothing.

        Raises:
            CheckpointError: if no full set of files is there.
        """
        for names in _FILES[self.kind]:
            files = tuple(self.folder / name for name in names)
            if all(file.is_file() for file in files):
                return files
        wanted = " or ".join(" and ".join(f"`{name}`" for name in names) for names in _FILES[self.kind])
        raise CheckpointError(
            f"the checkpoint's folder `{self.folder}` must hold the tokenizer's {wanted}, but does not. Put the files "
            "that were published with the checkpoint there."
        )

    def vocabulary(self) -> Vocabulary:
        """The tokenizer, loaded at the first call in a process.

        Raises:
            CheckpointError: if its files are missing, cannot be read, or lack the ids that open and close a sequence.
        """
        with _LOCK:
            return _loaded(self)


@lru_cache(maxsize=8)
def _loaded(subwords: Subwords) -> Vocabulary:
    files = subwords.require_files()
    load = _LOADERS[files[0].name]
    try:
        return load(files)
    except ImportError as error:
        raise CheckpointError(
            f"`{files[0]}` must be read by the library `{error.name}`, which is not installed. "
            f"Run `pip install {error.name}`."
        ) from None
    except CheckpointError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"`{files[0]}` must be a tokenizer's file, but cannot be read ({type(error).__name__}: {reason}). "
            "Download it again."
        ) from error


def _phobert(files: Sequence[Path]) -> Vocabulary:
    from transformers import PhobertTokenizer

    vocab_file, codes_file = map(str, files)
    tokenizer: Any = PhobertTokenizer(vocab_file=vocab_file, merges_file=codes_file)  # type: ignore[no-untyped-call]
    lock = ForkSafeLock()

    def encode(text: str) -> list[int]:
        with lock:
            if len(tokenizer.cache) > _WORDS_KEPT:  # transformers keeps every word that it has ever seen
                tokenizer.cache.clear()
            ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            return ids

    return Vocabulary(
        encode=encode,
        begin=tokenizer.cls_token_id,
        end=tokenizer.sep_token_id,
        unknown=tokenizer.unk_token_id,
        meaningless=frozenset({tokenizer.unk_token_id}),
        size=len(tokenizer),
    )


def _tokenizer_json(files: Sequence[Path]) -> Vocabulary:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(files[0]))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    special = {tokenizer.token_to_id(token) for token in _SPECIAL}
    begin, end, unknown = (_id(files[0], tokenizer.token_to_id(token), token) for token in _DEBERTA_TOKENS)

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return [unknown if token in special else token for token in ids]

    space: int | None = tokenizer.token_to_id(_SPACE)
    meaningless = frozenset({unknown} if space is None else {unknown, space})
    size = tokenizer.get_vocab_size()
    return Vocabulary(encode=encode, begin=begin, end=end, unknown=unknown, meaningless=meaningless, size=size)


def _sentencepiece(files: Sequence[Path]) -> Vocabulary:
    from sentencepiece import SentencePieceProcessor

    processor: Any = SentencePieceProcessor(model_file=str(files[0]))

    pieces = {processor.id_to_piece(index): index for index in range(processor.get_piece_size())}
    special = {pieces[token] for token in _SPECIAL if token in pieces}
    begin, end, unknown = (_id(files[0], pieces.get(token), token) for token in _DEBERTA_TOKENS)

    def encode(text: str) -> list[int]:
        ids: list[int] = processor.encode(text)
        return [unknown if token in special else token for token in ids]

    meaningless = frozenset({unknown, pieces.get(_SPACE, unknown)})
    return Vocabulary(encode=encode, begin=begin, end=end, unknown=unknown, meaningless=meaningless, size=len(pieces))


_DEBERTA_TOKENS: Final = ("[CLS]", "[SEP]", "[UNK]")
_SPACE: Final = "▁"
_SPECIAL: Final = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
_LOADERS: Final[Mapping[str, Callable[[Sequence[Path]], Vocabulary]]] = MappingProxyType(
    {"vocab.txt": _phobert, "tokenizer.json": _tokenizer_json, "spm.model": _sentencepiece}
)


def _id(file: Path, found: int | None, token: str) -> int:
    if found is None:
        raise CheckpointError(
            f"`{file}` must hold the token `{token}` of a DeBERTa vocabulary, but does not. "
            "Name a checkpoint of that architecture."
        )
    return found
