"""The kit's own parts for a training of a tenth of a second: honest, and of no other distribution."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, final

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from vietmer_core import builtin
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Component, Modality, Role
from vietmer_core.plugins import OfferedComponent, Origin
from vietmer_core.sequence import MaskedSequence
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_fields import CATALOGUE_KEY

LABELS: Final = ("sad", "glad")
DIM: Final = 4
ROWS: Final[dict[str, int]] = {"train": 6, "valid": 2}
BATCH_SIZE: Final = 2


class KitParams(BaseModel):
    """Parameters of the kit's own parts: none."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["kit"] = "kit"


@final
class LettersFrontend:
    """A transcript as the code points of its letters, below 64."""

    def __call__(self, transcript: str, /) -> Tensor:
        """`(tokens, 1)` int64."""
        return torch.tensor([ord(letter) % 64 for letter in transcript], dtype=torch.int64)[:, None]  # (tokens, 1)

    def tokens_cut(self, transcript: str, /) -> int:
        """None."""
        del transcript
        return 0


@final
class LettersEncoder(nn.Module):
    """An embedding of each letter."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = DIM
        self.table = nn.Embedding(64, DIM)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, tokens, 1)` → `(batch, tokens, DIM)`."""
        return sequence.with_features(self.table(sequence.features[..., 0]))


@final
class TextAlone(nn.Module):
    """The text as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dims = (DIM,)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        """`(batch, tokens, DIM)` → the same."""
        del audio
        return (text,)


@final
class InOrder:
    """Every row once, in the order of the split, turned by one row an epoch."""

    def __init__(self, num_rows: int) -> None:
        self._num_rows = num_rows

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """Batches of two."""
        rows = [(row + epoch) % self._num_rows for row in range(self._num_rows)]
        return [rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE)]


def kit_catalogue(tracker: Component | None) -> Catalogue:
    """The kit's parts, the core's poolers, heads and losses, and a tracker."""
    parts = [
        _part(Role.TEXT, lambda _: LettersEncoder(), frontend=lambda _: LettersFrontend()),
        _part(Role.FUSION, lambda _, **_dims: TextAlone()),
        _part(Role.SAMPLER, lambda _, *, sizes, seed: InOrder(len(sizes.labels))),  # noqa: ARG005  # draws nothing
        *builtin.register_components(),
        *([] if tracker is None else [tracker]),
    ]
    origin = Origin(name="kit", distribution="vietmer-core", version="0")
    return Catalogue(tuple(OfferedComponent(component=part, origin=origin) for part in parts))


def _part(role: Role, build: Any, *, frontend: Any = None) -> Component:
    return Component(
        role=role,
        params=KitParams,
        build=build,
        build_frontend=frontend,
        summary="Of the kit.",
        licence="Apache-2.0",
        modalities=frozenset({Modality.TEXT}),
    )


def kit_spec(root: Path, catalogue: Catalogue, trackers: Sequence[dict[str, Any]]) -> ExperimentSpec:
    """A text model over eight rows, which are written beside the folder of the runs; dropout is on."""
    folder = root.parent
    for split, count in ROWS.items():
        lines = []
        for index in range(count):
            absent = dict.fromkeys(("wav_path", "start", "end"))
            named = {"utterance_id": f"{split}{index}", "speaker_id": f"{split} {index}"}
            said = {"transcript": "trời ơi "[: 3 + index], "emotion": LABELS[index % 2]}
            lines.append(json.dumps({**named, **absent, **said}) + "\n")
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    document = {
        "name": "tracked",
        "labels": LABELS,
        "threads": torch.get_num_threads(),
        "data": {split: str(folder / f"{split}.jsonl") for split in ROWS},
        **dict.fromkeys(("text", "fusion", "sampler"), "kit"),
        "pooler": "mean",
        "head": {
            "hidden_dims": [DIM],
            "dropout": 0.5,
        },  # drawn from torch's generator, which a tracker must leave alone
        "training": {"epochs": 2, "learning_rate": 0.01, "device": "cpu", "patience": None},
        "trackers": list(trackers),
    }
    return ExperimentSpec.model_validate(document, context={CATALOGUE_KEY: catalogue})
