"""The files of a checkpoint: which hold weights, and whether all are there. Torch-free."""

import re
from pathlib import Path
from typing import Final

CONFIG_FILE: Final = "config.json"
ADAPTER_FILE: Final = "adapter_config.json"
"""Of peft: low-rank updates that belong to the weights."""
FILES: Final = ("*.json", "*.txt", "*.codes", "*.model", "README.md")
"""Configuration, tokenizer, frontend and model card."""
READ_FILES: Final = (
    *(CONFIG_FILE, "preprocessor_config.json", "processor_config.json", "tokenizer.json", "added_tokens.json"),
    *("vocab.txt", "bpe.codes", "spm.model"),
)
"""Beside the weights, those that decide what a model computes of an utterance."""
SAFE_WEIGHTS: Final = ("model.safetensors", "model-*-of-*.safetensors")
PICKLED_WEIGHTS: Final = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")

_PART: Final = re.compile(r"(.+-)(\d+)-of-(\d+)(\.\w+)")


def weight_files(folder: Path) -> list[Path]:
    """The files of weights that are loaded: safetensors before pickled ones, a single file before parts."""
    for pattern in (*SAFE_WEIGHTS, *PICKLED_WEIGHTS):
        found = sorted(folder.glob(pattern))
        if found:
            return found
    return []


def missing_parts(folder: Path) -> list[str]:
    """The names of the parts that are not there, where the weights are cut into parts (`model-00001-of-00003…`)."""
    names = [path.name for path in weight_files(folder)]
    found = _PART.fullmatch(names[0]) if names else None
    if found is None:
        return []
    stem, digits, count, suffix = found.groups()
    wanted = [f"{stem}{part:0{len(digits)}d}-of-{count}{suffix}" for part in range(1, int(count) + 1)]
    return [name for name in wanted if name not in names]
