"""From the parameters of `text: videberta` to its frontend and its encoder."""

from typing import Any, Final

from transformers import DebertaV2Model

from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.pretrained.token_loading import TokenArchitecture, load_token_encoder, load_token_frontend
from vietmer_core.text.frontend import TokenFrontend
from vietmer_text_videberta.network import deberta_states
from vietmer_text_videberta.plugin import LICENCES, VidebertaParams

_NOT_READ: Final = (
    r"(^|\.)mask_predictions\.",
    r"(^|\.)lm_predictions\.",
    r"(^|\.)cls\.",
    r"(^|\.)classifier\.",
    r"(^|\.)qa_outputs\.",
    r"(^|\.)pooler\.",
    r"embeddings\.position_ids$",
    r"embeddings\.(word|position)_embeddings\._weight$",
)
"""Tensors in the files of DeBERTa checkpoints that the encoder has no use for: heads, a buffer of old versions, and
`_weight`, what the discriminator of DeBERTa-v3 had learned beside the generator's embeddings (He et al. 2023, gradient-
disentangled embedding sharing). `weight`, which must be there, is the sum of both."""


def _without_dropout_of_distances(model: Any) -> None:
    """Without dropout on the embeddings of relative positions, one draw for all rows of a batch."""
    for layer in model.encoder.layer if model.encoder.relative_attention else ():
        layer.attention.self.pos_dropout.p = 0.0


DEBERTA: Final = TokenArchitecture(
    model_class=DebertaV2Model,
    model_type="deberta-v2",
    subwords="deberta",
    states=deberta_states,
    lora_targets=("query_proj", "value_proj"),
    not_read=_NOT_READ,
    adjust=_without_dropout_of_distances,
)


def load_frontend(params: VidebertaParams) -> TokenFrontend:
    """The frontend, its limit checked against the checkpoint's configuration; no weights are read.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint was made for.
        CheckpointError: if it is no DeBERTa-v2, or has no tokenizer.
        PluginError: if the segmenter is not installed.
    """
    return load_token_frontend(params, DEBERTA, licences=LICENCES)


def load_encoder(params: VidebertaParams) -> TokenEncoder:
    """The encoder, with the checkpoint's weights or random ones.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint was made for.
        CheckpointError: if the checkpoint cannot be found or fetched, or does not fit.
        ValueError: if it has no such layer, or no linear layer that `lora` names.
    """
    return load_token_encoder(params, DEBERTA, licences=LICENCES)
