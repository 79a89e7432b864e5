"""Sharing a model out among several processes: copies of it (DDP), or pieces (FSDP). Over Accelerate."""

import math
from collections.abc import Mapping
from typing import Any, cast

from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from pydantic import BaseModel
from torch import nn
from torch.optim import Optimizer

from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import AssemblyError
from vietmer_core.pretrained.backbone import LAST, backbones
from vietmer_core.spec import ExperimentSpec, TrainingSpec


def fsdp_plugin(training: TrainingSpec) -> FullyShardedDataParallelPlugin | None:
    """What tells Accelerate to share weights, gradients and optimiser states out; None where a spec does not ask."""
    if training.sharding == "none":
        return None
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        reshard_after_forward=True,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=[],  # named once the model is there
        state_dict_type="FULL_STATE_DICT",
        cpu_ram_efficient_loading=False,
    )


def use_fsdp(accelerator: Accelerator, plugin: FullyShardedDataParallelPlugin | None) -> None:
    """Make Accelerate shard on CPUs too, where it would make copies.

    Raises:
        AssemblyError: if there is one process only.
    """
    if plugin is None:
        return
    if accelerator.num_processes == 1:
        raise AssemblyError(
            "`training.sharding: fsdp` must go with several processes, but there is one. Start the run with `torchrun` "
            "or `accelerate launch`, or leave the field out."
        )
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP  # noqa: SLF001  # from which others are made
    accelerator.state.distributed_type = DistributedType.FSDP
    accelerator.state.fsdp_plugin = plugin


def check_equal_passes(spec: ExperimentSpec, splits: Mapping[str, Manifest]) -> None:
    """Refuse what would make processes run other numbers of layers: they fetch each layer together.

    Raises:
        AssemblyError: naming the field, or the utterance that is read in several windows.
    """
    if spec.training.sharding == "none":
        return
    if spec.shapes.training == "canonical":
        raise AssemblyError(
            "`training.sharding: fsdp` and `shapes.training: canonical` contradict each other: processes that fetch "
            "the same layers must make as many passes, and canonical ones depend on the utterances. Leave one out."
        )
    longest = _window_seconds(spec.audio)
    for manifest in splits.values():
        row = int(manifest.sizes.audio_seconds.argmax())
        seconds = float(manifest.sizes.audio_seconds[row])
        if seconds > longest:
            utterance = manifest[row]
            raise AssemblyError(
                f"{utterance.place}: `{utterance.utterance_id}` must be at most `audio.window_seconds` ({longest:g} s) "
                f"long where `training.sharding` is `fsdp`, but lasts {seconds:.1f} s instead. Cut it, leave it out, "
                "or raise the window."
            )


def _window_seconds(params: BaseModel | None) -> float:
    """The longest audio, s, that an encoder reads at once: a field beside that of the overlap of windows."""
    if params is None:
        return math.inf
    inside = [getattr(params, name) for name in type(params).model_fields]
    found = [_window_seconds(part) for part in inside if isinstance(part, BaseModel)]
    own = getattr(params, "window_seconds", None) if hasattr(params, "overlap_seconds") else None
    return min([math.inf if own is None else float(own), *found])


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether each process holds a piece of the model only."""
    return bool(accelerator.distributed_type == DistributedType.FSDP)


def shared_out(
    accelerator: Accelerator, forward: nn.Module, optimiser: Optimizer, *, epoch: int
) -> tuple[nn.Module, Any]:
    """The forward pass and the optimiser, ready for this process and its precision.

    Args:
        accelerator: Of this process.
        forward: Holds the model.
        optimiser: Of its parameters.
        epoch: From which the run goes on; layers that are freed later take part from the beginning.
    """
    parts = [backbone for _, backbone in backbones(forward)]
    for backbone in parts:
        backbone.begin_epoch(LAST)  # DDP watches only what needs a gradient when it is made
    if is_sharded(accelerator):
        layers = {type(layer).__name__ for backbone in parts for layer in backbone.layers}
        accelerator.state.fsdp_plugin.transformer_cls_names_to_wrap = sorted(layers)
        wrapped, prepared = accelerator.prepare(forward, optimiser)
    else:
        wrapped = accelerator.prepare_model(forward)
        prepared = accelerator.prepare_optimizer(optimiser, device_placement=False)
    for backbone in parts:
        backbone.begin_epoch(epoch)
    return cast("nn.Module", wrapped), prepared
