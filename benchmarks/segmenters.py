"""What a vocabulary knows of real sentences, by segmenter and tone style, as a Markdown table.

Run: `nox -s bench -- segmenters FOLDER FILE.jsonl …`. FOLDER holds PhoBERT's `vocab.txt` and `bpe.codes`, and
each line of a file has a `transcript`. A word is what stands between spaces after segmentation. Unknown tokens are
split into emoji and other symbols, and the rest. Speed is that of the whole way from transcript to ids without the
cache; every cell is timed in turn, best of three.
"""

import argparse
import json
import re
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import attrs

from vietmer_core.text.frontend import WordFrontend
from vietmer_core.text.normalise import normalise
from vietmer_core.text.params import SEGMENTER_NAMES, TONE_STYLES, ToneStyle
from vietmer_core.text.segmenters import Segmenter
from vietmer_core.text.subwords import Subwords, Vocabulary
from vietmer_core.text.tones import place_tones

REPEATS = 3
HEAD = (
    "| corpus | segmenter | tone style | words/sentence | joined | unknown | of them symbols | split words | "
    "split, letters | tokens/sentence | sentences/s |\n|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)

STYLES_HEAD = "| sentences | segmenter | style read | joined words | of them one token |\n|--:|---|---|--:|--:|"


@attrs.define
class Counts:
    """Sums over a corpus; a word is read alone, which gives the ids that it has in its sentence."""

    words: int = 0
    joined: int = 0
    split: int = 0
    letters: int = 0
    split_letters: int = 0
    tokens: int = 0
    unknown: int = 0
    unknown_symbols: int = 0

    def add(self, word: str, ids: Sequence[int], unknown: int) -> None:
        of_letters = word.replace("_", "").isalpha()
        missing = sum(token == unknown for token in ids)
        self.words += 1
        self.joined += "_" in word.strip("_")
        self.split += len(ids) > 1
        self.letters += of_letters
        self.split_letters += of_letters and len(ids) > 1
        self.tokens += len(ids)
        self.unknown += missing
        self.unknown_symbols += missing if all(unicodedata.category(c)[0] in "SCMP" for c in word) else 0


def transcripts(file: Path) -> list[str]:
    """The transcripts of a JSONL file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [found for line in lines if (found := json.loads(line)["transcript"])]


def count(sentences: Sequence[str], frontend: WordFrontend, vocabulary: Vocabulary) -> Counts:
    counts = Counts()
    for sentence in sentences:
        for word in frontend(sentence).split():
            counts.add(word, vocabulary.encode(word), vocabulary.unknown)
    return counts


def seconds(sentences: Sequence[str], frontend: WordFrontend, vocabulary: Vocabulary) -> float:
    """Time of one pass over a corpus."""
    start = time.perf_counter()
    for sentence in sentences:
        vocabulary.encode(frontend(sentence))
    return time.perf_counter() - start


def row(corpus: str, frontend: WordFrontend, counts: Counts, *, size: int, best: float) -> str:
    cells = [
        corpus,
        f"`{frontend.segmenter.name}`",
        f"`{frontend.tone_style}`",
        f"{counts.words / size:.2f}",
        f"{counts.joined / counts.words:.2%}",
        f"{counts.unknown / counts.tokens:.3%}",
        f"{counts.unknown_symbols / max(1, counts.unknown):.0%}",
        f"{counts.split / counts.words:.2%}",
        f"{counts.split_letters / counts.letters:.2%}",
        f"{counts.tokens / size:.2f}",
        f"{size / best:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def frontends() -> list[WordFrontend]:
    """Every segmenter with every tone style."""
    styles: tuple[ToneStyle, ...] = TONE_STYLES
    return [
        WordFrontend(segmenter=Segmenter(name), tone_style=style, read_numbers=False, read_abbreviations=False)
        for name in SEGMENTER_NAMES
        for style in styles
    ]


def pairs(folder: Path) -> str:
    """How many words of the vocabulary are written in each style, and how often they were seen in its training."""
    totals = {"old": [0, 0], "new": [0, 0]}
    for line in (folder / "vocab.txt").read_text(encoding="utf-8").splitlines():
        word, _, seen = line.rpartition(" ")
        old, new = place_tones(word, style="old"), place_tones(word, style="new")
        if old != new and re.fullmatch(r"[^\W\d]+", word):
            for style, written in (("old", old), ("new", new)):
                totals[style][0] += word == written
                totals[style][1] += int(seen) * (word == written)
    return "; ".join(f"{style}: {words:,} words, seen {seen:,} times" for style, (words, seen) in totals.items())


def styles_read(sentences: Sequence[str], vocabulary: Vocabulary) -> str:
    """Rows: what a segmenter finds when it reads either style, over the sentences that the styles write differently."""
    texts = [(place_tones(text, style="old"), place_tones(text, style="new")) for text in map(normalise, sentences)]
    texts = [(old, new) for old, new in texts if old != new]
    rows = []
    for name in SEGMENTER_NAMES[:2]:
        for index, style in enumerate(("old", "new")):
            words = [place_tones(Segmenter(name)(pair[index]), style="new").split() for pair in texts]
            joined = [word for sentence in words for word in sentence if "_" in word.strip("_")]
            known = sum(len(vocabulary.encode(word)) == 1 for word in joined)
            rows.append(f"| {len(texts)} | `{name}` | {style} | {len(joined)} | {known} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with vocab.txt and bpe.codes")
    parser.add_argument("files", type=Path, nargs="+", help="JSONL files with transcripts")
    options = parser.parse_args()
    vocabulary = Subwords(folder=options.folder, kind="phobert").vocabulary()
    print(f"Words of the vocabulary whose writing differs by style: {pairs(options.folder)}.\n")
    print(HEAD)
    for file in options.files:
        sentences = transcripts(file)
        corpus = f"{file.parent.name}, {len(sentences)} sentences"
        counted = [(frontend, count(sentences, frontend, vocabulary)) for frontend in frontends()]
        times = [[seconds(sentences, frontend, vocabulary) for frontend, _ in counted] for _ in range(REPEATS)]
        for (frontend, counts), best in zip(counted, map(min, zip(*times, strict=True)), strict=True):
            print(row(corpus, frontend, counts, size=len(sentences), best=best), flush=True)
    print(f"\n{STYLES_HEAD}\n{styles_read([text for file in options.files for text in transcripts(file)], vocabulary)}")


if __name__ == "__main__":
    main()
