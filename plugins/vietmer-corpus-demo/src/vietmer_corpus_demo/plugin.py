"""What this plugin offers: `corpus: demo`. Torch-free."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl


class DemoCorpusParams(BaseModel):
    """Parameters of `corpus: demo`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["demo"] = "demo"
    split: Literal["train", "valid", "test"] = "train"


def build(params: DemoCorpusParams) -> Path:
    """The manifest of `params.split`; its audio paths are relative to its own folder."""
    return Path(__file__).parent / "data" / f"{params.split}.jsonl"


@hookimpl
def register_components() -> Sequence[Component]:
    """The demo corpus."""
    return [
        Component(
            role=Role.CORPUS,
            params=DemoCorpusParams,
            build=build,
            summary="832 synthetic utterances of Vietnamese support calls, four emotions; to try the software with.",
            licence="Apache-2.0",
            data_licence="CC0-1.0",
        )
    ]
