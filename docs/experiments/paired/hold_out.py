"""Write the sentences that the text is pre-trained on: `python hold_out.py DATA held_out`.

DATA holds `vsmec_text/train.jsonl` and `paired_ravdess_vsmec/`. A sentence of the pair, of any of its splits, is not
trained on: an encoder that had seen the sentences it is joined with would be trusted too much.
"""

import json
import sys
from pathlib import Path
from typing import Any


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a manifest."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, kept: list[dict[str, Any]]) -> None:
    """Write a manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


def main(data: Path, folder: Path) -> None:
    """Write `vsmec_rest.jsonl`, to train on, and `paired_train_text.jsonl`, to choose the epoch on."""
    pair = {split: rows(data / "paired_ravdess_vsmec" / f"{split}.jsonl") for split in ("train", "valid", "test")}
    paired = {row["transcript"] for split in pair.values() for row in split}
    rest = [row for row in rows(data / "vsmec_text" / "train.jsonl") if row["transcript"] not in paired]
    write(folder / "vsmec_rest.jsonl", rest)
    alone = {"wav_path": None, "start": None, "end": None}
    write(folder / "paired_train_text.jsonl", [{**row, **alone} for row in pair["train"]])
    sys.stdout.write(f"{len(rest)} sentences to train on, {len(pair['train'])} to choose the epoch on\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
