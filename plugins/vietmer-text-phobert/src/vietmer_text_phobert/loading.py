"""From the parameters of `text: phobert` to its frontend and its encoder."""

from collections.abc import Mapping
from typing import Any, Final

from transformers import RobertaConfig, RobertaModel

from vietmer_core.errors import AssemblyError, CheckpointError
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import Checkpoint, open_checkpoint
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.loading import load_model, read_config
from vietmer_core.text.frontend import TokenFrontend
from vietmer_core.text.subwords import Subwords
from vietmer_text_phobert.encoder import PhobertEncoder
from vietmer_text_phobert.plugin import LICENCES, PhobertParams

_NOT_READ: Final = (
    r"(^|\.)lm_head\.",
    r"(^|\.)classifier\.",
    r"(^|\.)qa_outputs\.",
    r"(^|\.)pooler\.",
    r"embeddings\.position_ids$",
)
"""Tensors in the files of RoBERTa checkpoints that the encoder has no use for: heads, and a buffer of old versions."""


def load_frontend(params: PhobertParams) -> TokenFrontend:
    """The frontend, its limit checked against the checkpoint's configuration; no weights are read.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint has positions for.
        CheckpointError: if it is no RoBERTa, or has no tokenizer.
        PluginError: if the segmenter is not installed.
    """
    checkpoint = open_checkpoint(params.model_copy(update={"weights": "random"}), licences=LICENCES)
    _require_positions(params, _config(checkpoint))
    return TokenFrontend.from_params(params, subwords=_subwords(checkpoint))


def load_encoder(params: PhobertParams) -> PhobertEncoder:
    """The encoder, with the checkpoint's weights or random ones.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint has positions for.
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
        lora_targets=("query", "value"),
    )
    return PhobertEncoder(
        backbone=backbone, mix=mix, max_tokens=max_tokens_of(config), recomputes=params.gradient_checkpointing
    )


def max_tokens_of(config: Mapping[str, Any]) -> int:
    """Tokens that a RoBERTa configuration has positions for: position ids begin behind `pad_token_id`."""
    return int(config["max_position_embeddings"]) - int(config["pad_token_id"]) - 1


def _config(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """The configuration, with transformers' defaults where the file leaves a value out."""
    return {**RobertaConfig().to_dict(), **read_config(checkpoint, model_types=("roberta",))}


def _subwords(checkpoint: Checkpoint) -> Subwords:
    return Subwords(folder=checkpoint.folder, kind="phobert")


def _require_positions(params: PhobertParams, config: Mapping[str, Any]) -> None:
    most = max_tokens_of(config)
    if params.max_tokens > most:
        raise AssemblyError(
            f"`text.max_tokens` must be at most {most} for checkpoint `{params.checkpoint}`, which has "
            f"{config['max_position_embeddings']} positions of which tokens take those from "
            f"{config['pad_token_id'] + 1} on, but is {params.max_tokens} instead."
        )


def _require_rows(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    ids, rows = _subwords(checkpoint).vocabulary().size, int(config["vocab_size"])
    if ids > rows:
        raise CheckpointError(
            f"the tokenizer of checkpoint `{checkpoint.record.checkpoint}` must have at most the {rows} ids that its "
            f"network embeds, but has {ids} instead. Put the files that were published with the weights there."
        )


def _model(checkpoint: Checkpoint, *, keep: int, of: int) -> Any:
    """The network without its pooler and without the layers above the last one used."""
    above = "|".join(str(layer) for layer in range(keep, of))
    model = load_model(
        RobertaModel,
        checkpoint,
        changes={"num_hidden_layers": keep, "is_decoder": False, "_attn_implementation": "sdpa"},
        may_miss=(r"^pooler\.",),
        may_have=(*_NOT_READ, *([rf"encoder\.layer\.({above})\."] if above else [])),
    )
    model.pooler = None
    return model
