"""Registers `text: videberta`. Torch-free."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.pretrained.licences import UNKNOWN
from vietmer_core.pretrained.params import PretrainedTextParams
from vietmer_core.text.params import SegmenterName

if TYPE_CHECKING:
    from vietmer_core.protocols import Encoder, TextFrontend

DEFAULT_CHECKPOINT: Final = "Fsoft-AIC/videberta-base"

LICENCES: Final[Mapping[str, str]] = {DEFAULT_CHECKPOINT: UNKNOWN, "Fsoft-AIC/videberta-xsmall": UNKNOWN}
"""Licences of the weights, by id on the hub. Their model cards name none; the authors' code is under MIT."""

TINY: Final = Path(__file__).parent / "tiny"
"""The configuration of a tiny network and its tokenizer, for tests; no weights."""


class VidebertaParams(PretrainedTextParams):
    """Parameters of `text: videberta`."""

    kind: Literal["videberta"] = "videberta"
    checkpoint: str = Field(
        default=DEFAULT_CHECKPOINT, description="Id on the hub, or a folder written `./x`, `../x`, `~/x` or `/x`."
    )
    segmenter: SegmenterName = Field(
        default="pyvi",
        description="What joins syllables into words (`khách_hàng`); the weights were trained on those of `pyvi`.",
    )


def build_frontend(params: VidebertaParams) -> "TextFrontend":
    """Make the frontend of `text: videberta`."""
    from vietmer_text_videberta.loading import load_frontend

    return load_frontend(params)


def build_encoder(params: VidebertaParams) -> "Encoder":
    """Make the encoder of `text: videberta`."""
    from vietmer_text_videberta.loading import load_encoder

    return load_encoder(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The text encoder `videberta`."""
    return [
        Component(
            role=Role.TEXT,
            params=VidebertaParams,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="ViDeBERTa, or any DeBERTa-v2 or -v3 with its tokenizer; reads word-segmented Vietnamese.",
            licence="Apache-2.0",
            weights_licence=LICENCES[DEFAULT_CHECKPOINT],
            weights_licences={name: licence for name, licence in LICENCES.items() if name != DEFAULT_CHECKPOINT},
            tiny={"checkpoint": str(TINY), "weights": "random", "segmenter": "none", "unreadable": "keep"},
        )
    ]
