"""From the parameters of a pretrained text encoder to its frontend and its encoder, for any architecture."""

from collections.abc import Callable, Mapping
from typing import Any, final

import attrs

from vietmer_core.errors import AssemblyError, CheckpointError
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import Checkpoint, open_checkpoint
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.loading import load_model, read_config
from vietmer_core.pretrained.params import PretrainedTextParams
from vietmer_core.pretrained.token_encoder import TokenEncoder, TokenStates
from vietmer_core.text.frontend import TokenFrontend
from vietmer_core.text.subwords import SubwordKind, Subwords


def _from_zero(config: Mapping[str, Any]) -> int:
    del config
    return 0


def _as_loaded(model: Any) -> None:
    del model


@final
@attrs.frozen(kw_only=True)
class TokenArchitecture:
    """What one architecture of transformers needs to be loaded and run; its layers are `encoder.layer`.

    Attributes:
        model_class: A `PreTrainedModel`.
        model_type: Its name in configurations.
        subwords: Which tokenizer its checkpoints hold.
        states: Runs it.
        lora_targets: Names of the linear layers that low-rank updates adapt by default.
        not_read: Regular expressions of tensors in the files that the encoder has no use for, such as heads.
        may_miss: Regular expressions of tensors that the files need not have.
        changes: Values of the configuration to override.
        first_position: The position of the first token, from a configuration.
        adjust: What is changed of the network once it is loaded.
    """

    model_class: Any
    model_type: str
    subwords: SubwordKind
    states: TokenStates
    lora_targets: tuple[str, ...]
    not_read: tuple[str, ...] = ()
    may_miss: tuple[str, ...] = ()
    changes: Mapping[str, Any] = attrs.field(factory=dict)
    first_position: Callable[[Mapping[str, Any]], int] = _from_zero
    adjust: Callable[[Any], None] = _as_loaded

    def max_tokens(self, config: Mapping[str, Any]) -> int:
        """Tokens that a configuration has positions for."""
        return int(config["max_position_embeddings"]) - self.first_position(config)


def load_token_frontend(
    params: PretrainedTextParams, architecture: TokenArchitecture, *, licences: Mapping[str, str]
) -> TokenFrontend:
    """The frontend, its limit checked against the checkpoint's configuration; no weights are read.

    Args:
        params: Of the component.
        architecture: Of its network.
        licences: Of the weights, by id on the hub.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint has positions for.
        CheckpointError: if it is of another architecture, or has no tokenizer.
        PluginError: if the segmenter is not installed.
    """
    checkpoint = open_checkpoint(params.model_copy(update={"weights": "random"}), licences=licences)
    _require_positions(params, architecture, _config(checkpoint, architecture))
    return TokenFrontend.from_params(params, subwords=_subwords(checkpoint, architecture))


def load_token_encoder(
    params: PretrainedTextParams, architecture: TokenArchitecture, *, licences: Mapping[str, str]
) -> TokenEncoder:
    """The encoder, with the checkpoint's weights or random ones.

    Args:
        params: Of the component.
        architecture: Of its network.
        licences: Of the weights, by id on the hub.

    Raises:
        AssemblyError: if `max_tokens` is more than the checkpoint has positions for.
        CheckpointError: if the checkpoint cannot be found or fetched, or does not fit.
        ValueError: if it has no such layer, or no linear layer that `lora` names.
    """
    checkpoint = open_checkpoint(params, licences=licences)
    config = _config(checkpoint, architecture)
    _require_positions(params, architecture, config)
    _require_rows(checkpoint, architecture, config)
    num_layers = int(config["num_hidden_layers"])
    mix = LayerMix(choice=params.layers, num_layers=num_layers, normalise=params.normalise_layers)
    model = _model(checkpoint, architecture, keep=mix.layers_used, of=num_layers)
    backbone = PretrainedBackbone(
        model,
        layers=list(model.encoder.layer),
        record=checkpoint.record,
        plan=TrainingPlan.of(params),
        lora_targets=architecture.lora_targets,
    )
    return TokenEncoder(
        backbone=backbone,
        mix=mix,
        states=architecture.states,
        max_tokens=architecture.max_tokens(config),
        recomputes=params.gradient_checkpointing,
    )


def _config(checkpoint: Checkpoint, architecture: TokenArchitecture) -> Mapping[str, Any]:
    """The configuration, with transformers' defaults where the file leaves a value out."""
    defaults = architecture.model_class.config_class().to_dict()
    return {**defaults, **read_config(checkpoint, model_types=(architecture.model_type,))}


def _subwords(checkpoint: Checkpoint, architecture: TokenArchitecture) -> Subwords:
    return Subwords(folder=checkpoint.folder, kind=architecture.subwords)


def _require_positions(
    params: PretrainedTextParams, architecture: TokenArchitecture, config: Mapping[str, Any]
) -> None:
    most, first = architecture.max_tokens(config), architecture.first_position(config)
    if params.max_tokens > most:
        taken = f" of which tokens take those from {first} on" if first else ""
        raise AssemblyError(
            f"`text.max_tokens` must be at most {most} for checkpoint `{params.checkpoint}`, which has "
            f"{config['max_position_embeddings']} positions{taken}, but is {params.max_tokens} instead."
        )


def _require_rows(checkpoint: Checkpoint, architecture: TokenArchitecture, config: Mapping[str, Any]) -> None:
    ids, rows = _subwords(checkpoint, architecture).vocabulary().size, int(config["vocab_size"])
    if ids > rows:
        raise CheckpointError(
            f"the tokenizer of checkpoint `{checkpoint.record.checkpoint}` must have at most the {rows} ids that its "
            f"network embeds, but has {ids} instead. Put the files that were published with the weights there."
        )


def _model(checkpoint: Checkpoint, architecture: TokenArchitecture, *, keep: int, of: int) -> Any:
    """The network without the layers above the last one used."""
    above = "|".join(str(layer) for layer in range(keep, of))
    model = load_model(
        architecture.model_class,
        checkpoint,
        changes={"num_hidden_layers": keep, **architecture.changes},
        may_miss=architecture.may_miss,
        may_have=(*architecture.not_read, *([rf"encoder\.layer\.({above})\."] if above else [])),
    )
    architecture.adjust(model)
    return model
