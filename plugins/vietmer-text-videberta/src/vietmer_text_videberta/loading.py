"""From the parameters of `text: videberta` to its frontend and its encoder."""

from collections.abc import Mapping
from typing import Any, Final

from transformers import DebertaV2Config, DebertaV2Model

from vietmer_core.errors import AssemblyError, CheckpointError
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import Checkpoint, open_checkpoint
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.loading import load_model, read_config
from vietmer_core.text.frontend import TokenFrontend
from vietmer_core.text.subwords import Subwords
from vietmer_text_videberta.encoder import VidebertaEncoder
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


def load_frontend(params: VidebertaParams) -> TokenFrontend:
    """The frontend, its limit checked against the checkpoint's configuration; no weights are read.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint was made for.
        CheckpointError: if it is no DeBERTa-v2, or has no tokenizer.
        PluginError: if the segmenter is not installed.
    """
    checkpoint = open_checkpoint(params.model_copy(update={"weights": "random"}), licences=LICENCES)
    _require_positions(params, _config(checkpoint))
    return TokenFrontend.from_params(params, subwords=_subwords(checkpoint))


def load_encoder(params: VidebertaParams) -> VidebertaEncoder:
    """The encoder, with the checkpoint's weights or random ones.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint was made for.
        CheckpointError: if the checkpoint cannot be found or fetched, or does not fit.
        ValueError: if it has no such layer, or no linear layer that `lora` names.
    """
    checkpoint = open_checkpoint(params, licences=LICENCES)
    config = _config(checkpoint)
    _require_positions(params, config)
    _require_rows(checkpoint, config)
    num_layers = int(config["num_hidden_layers"])
    mix = LayerMix(choice=params.layers, num_layers=num_layers, normalise=params.normalise_layers)
    model = _model(checkpoint, keep=mix.layers_used, of=num_layers)
    backbone = PretrainedBackbone(
        model,
        layers=list(model.encoder.layer),
        record=checkpoint.record,
        plan=TrainingPlan.of(params),
        lora_targets=("query_proj", "value_proj"),
    )
    most = int(config["max_position_embeddings"])
    return VidebertaEncoder(backbone=backbone, mix=mix, max_tokens=most, recomputes=params.gradient_checkpointing)


def _config(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """The configuration, with transformers' defaults where the file leaves a value out."""
    return {**DebertaV2Config().to_dict(), **read_config(checkpoint, model_types=("deberta-v2",))}


def _subwords(checkpoint: Checkpoint) -> Subwords:
    return Subwords(folder=checkpoint.folder, kind="deberta")


def _require_positions(params: VidebertaParams, config: Mapping[str, Any]) -> None:
    most = int(config["max_position_embeddings"])
    if params.max_tokens > most:
        raise AssemblyError(
            f"`text.max_tokens` must be at most {most} for checkpoint `{params.checkpoint}`, which was made for so "
            f"many positions, but is {params.max_tokens} instead."
        )


def _require_rows(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    ids, rows = _subwords(checkpoint).vocabulary().size, int(config["vocab_size"])
    if ids > rows:
        raise CheckpointError(
            f"the tokenizer of checkpoint `{checkpoint.record.checkpoint}` must have at most the {rows} ids that its "
            f"network embeds, but has {ids} instead. Put the files that were published with the weights there."
        )


def _model(checkpoint: Checkpoint, *, keep: int, of: int) -> Any:
    """The network without the layers above the last one used."""
    above = "|".join(str(layer) for layer in range(keep, of))
    model = load_model(
        DebertaV2Model,
        checkpoint,
        changes={"num_hidden_layers": keep},
        may_have=(*_NOT_READ, *([rf"encoder\.layer\.({above})\."] if above else [])),
    )
    for layer in model.encoder.layer if model.encoder.relative_attention else ():
        layer.attention.self.pos_dropout.p = 0.0
    return model
