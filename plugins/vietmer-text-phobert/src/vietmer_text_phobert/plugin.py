"""Registers `text: phobert`. Torch-free."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.pretrained.params import PretrainedTextParams

if TYPE_CHECKING:
    from vietmer_core.protocols import Encoder, TextFrontend

DEFAULT_CHECKPOINT: Final = "vinai/phobert-base"

LICENCES: Final[Mapping[str, str]] = {
    DEFAULT_CHECKPOINT: "MIT",
    "vinai/phobert-large": "MIT",
    "vinai/phobert-base-v2": "AGPL-3.0",
}
"""Licences of the weights, by id on the hub, as their model cards give them."""

TINY: Final = Path(__file__).parent / "tiny"
"""The configuration of a tiny network and its tokenizer, for tests; no weights."""


class PhobertParams(PretrainedTextParams):
    """Parameters of `text: phobert`."""

    kind: Literal["phobert"] = "phobert"
    checkpoint: str = Field(
        default=DEFAULT_CHECKPOINT, description="Id on the hub, or a folder written `./x`, `../x`, `~/x` or `/x`."
    )


def build_frontend(params: PhobertParams) -> "TextFrontend":
    """Make the frontend of `text: phobert`."""
    from vietmer_text_phobert.loading import load_frontend

    return load_frontend(params)


def build_encoder(params: PhobertParams) -> "Encoder":
    """Make the encoder of `text: phobert`."""
    from vietmer_text_phobert.loading import load_encoder

    return load_encoder(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The text encoder `phobert`."""
    return [
        Component(
            role=Role.TEXT,
            params=PhobertParams,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="PhoBERT, or any RoBERTa with its tokenizer; reads word-segmented Vietnamese.",
            licence="Apache-2.0",
            weights_licence=LICENCES[DEFAULT_CHECKPOINT],
            weights_licences={name: licence for name, licence in LICENCES.items() if name != DEFAULT_CHECKPOINT},
            tiny={"checkpoint": str(TINY), "weights": "random", "segmenter": "none", "unreadable": "keep"},
        )
    ]
