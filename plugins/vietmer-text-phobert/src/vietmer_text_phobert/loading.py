"""From the parameters of `text: phobert` to its frontend and its encoder."""

from collections.abc import Mapping
from typing import Any, Final

from transformers import RobertaModel

from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.pretrained.token_loading import TokenArchitecture, load_token_encoder, load_token_frontend
from vietmer_core.text.frontend import TokenFrontend
from vietmer_text_phobert.network import roberta_states
from vietmer_text_phobert.plugin import LICENCES, PhobertParams

_NOT_READ: Final = (
    r"(^|\.)lm_head\.",
    r"(^|\.)classifier\.",
    r"(^|\.)qa_outputs\.",
    r"(^|\.)pooler\.",
    r"embeddings\.position_ids$",
)
"""Tensors in the files of RoBERTa checkpoints that the encoder has no use for: heads, and a buffer of old versions."""


def _behind_the_padding(config: Mapping[str, Any]) -> int:
    """Position ids begin behind `pad_token_id`."""
    return int(config["pad_token_id"]) + 1


def _without_pooler(model: Any) -> None:
    model.pooler = None


ROBERTA: Final = TokenArchitecture(
    model_class=RobertaModel,
    model_type="roberta",
    subwords="phobert",
    states=roberta_states,
    lora_targets=("query", "value"),
    not_read=_NOT_READ,
    may_miss=(r"^pooler\.",),
    changes={"is_decoder": False, "_attn_implementation": "sdpa"},
    first_position=_behind_the_padding,
    adjust=_without_pooler,
)


def load_frontend(params: PhobertParams) -> TokenFrontend:
    """The frontend, its limit checked against the checkpoint's configuration; no weights are read.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint has positions for.
        CheckpointError: if it is no RoBERTa, or has no tokenizer.
        PluginError: if the segmenter is not installed.
    """
    return load_token_frontend(params, ROBERTA, licences=LICENCES)


def load_encoder(params: PhobertParams) -> TokenEncoder:
    """The encoder, with the checkpoint's weights or random ones.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint has positions for.
        CheckpointError: if the checkpoint cannot be found or fetched, or does not fit.
        ValueError: if it has no such layer, or no linear layer that `lora` names.
    """
    return load_token_encoder(params, ROBERTA, licences=LICENCES)
