"""`PretrainedBackbone`: a pretrained network of which none, the last layers, all or low-rank updates are trained."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, final

import attrs
from torch import Tensor, nn

from vietmer_core.pretrained.checkpoints import CheckpointRecord
from vietmer_core.pretrained.params import LoraParams, PretrainedParams, UnfreezingParams

LAST: Final = 10**9
"""An epoch at which all that is ever freed is free."""


@attrs.frozen(kw_only=True)
class TrainingPlan:
    """What is trained of a pretrained network, and from which epoch on.

    Attributes:
        depth: Layers trained at last, from the top; None trains all, what lies below the layers too.
        lora: Low-rank updates of the layers instead.
        unfreeze: Frees the layers one after the other; None trains them from the first epoch.
    """

    depth: int | None = 0
    lora: LoraParams | None = None
    unfreeze: UnfreezingParams | None = None

    @classmethod
    def of(cls, params: PretrainedParams) -> "TrainingPlan":
        """The plan of an encoder's parameters."""
        depth = (params.train_layers or 0) if params.freeze else None
        return cls(depth=depth, lora=params.lora, unfreeze=params.unfreeze)

    def depth_at(self, epoch: int, num_layers: int) -> int:
        """Layers trained at an epoch, from the top; `num_layers + 1` is everything."""
        most = num_layers + 1 if self.depth is None else self.depth
        if self.unfreeze is None:
            return most
        freed = (epoch - self.unfreeze.first_epoch) // self.unfreeze.every + 1
        return min(most, max(0, freed) * self.unfreeze.layers)

    def obstacle(self, *, inside: str = "") -> str:
        """Why states of the network may not be kept (`CacheableEncoder`), naming the field; "" where all is frozen.

        Args:
            inside: Where the fields stand, such as `vggish.`.
        """
        if self.lora is not None:
            return f"`{inside}lora` trains low-rank updates inside it"
        if self.depth == 0:
            return ""
        field = f"`{inside}freeze: false`" if self.depth is None else f"`{inside}train_layers: {self.depth}`"
        if self.unfreeze is not None:
            return f"{field} with `{inside}unfreeze` trains its layers one after the other"
        return f"{field} trains {'its weights' if self.depth is None else 'its last layers'}"


@attrs.frozen(kw_only=True, eq=False)
class ParameterGroup:
    """Parameters that share a learning rate.

    Attributes:
        name: `pretrained` for weights that came with the checkpoint, `new` for low-rank updates and random weights.
        depth: Layers above them: 0 at the top.
        parameters: Those that are trained at some epoch.
    """

    name: str
    depth: int
    parameters: tuple[nn.Parameter, ...]


@final
class PretrainedBackbone(nn.Module):
    """A pretrained network with a plan of what is trained.

    What is frozen has no gradient and stays in eval mode, whatever mode the model around it is put in, so that its
    dropout draws nothing. Layers that low-rank updates adapt are in train mode, as trained ones are.

    Args:
        model: The network; what `forward` computes with it is the encoder's business.
        layers: Its layers from the bottom to the top.
        top: Modules above the layers, such as a last norm; they are trained with the uppermost layer.
        record: Where the weights come from.
        plan: What is trained.
        lora_targets: Names of the linear layers that low-rank updates adapt by default.

    Raises:
        ValueError: if the plan trains more layers than there are, or adapts layers that are not there.

    Attributes:
        model: The network.
        record: Where the weights come from.
        plan: What is trained.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layers: Sequence[nn.Module],
        top: Sequence[nn.Module] = (),
        record: CheckpointRecord,
        plan: TrainingPlan,
        lora_targets: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.record = record
        self._layers = tuple(layers)  # in a tuple: they are registered below `model` already
        self._top = tuple(top)
        self.plan = plan
        self._epoch = 0
        _require_depth(plan.depth, num_layers=len(self._layers))
        not_read: frozenset[str] = getattr(model, "names_not_in_checkpoint", frozenset())
        unread = {id(value) for name, value in _tensors(model) if name in not_read}
        fixed = {id(value) for value in model.parameters() if not value.requires_grad}  # sinusoidal positions
        if plan.lora is not None:
            named = plan.lora.target_modules
            _inject(model, plan.lora, targets=tuple(lora_targets) if named is None else named)
        self._unread = _names(model, unread)  # by name: a move to another device makes new buffers
        self._fixed = _names(model, fixed)
        self.begin_epoch(0)

    @property
    def layers(self) -> tuple[nn.Module, ...]:
        """The layers of the network, from the bottom to the top."""
        return self._layers

    @property
    def is_tuned(self) -> bool:
        """Whether anything of the network is trained in the current epoch."""
        return self.plan.lora is not None or self._depth > 0

    @property
    def _depth(self) -> int:
        return self.plan.depth_at(self._epoch, len(self._layers))

    def begin_epoch(self, epoch: int) -> None:
        """Free what is trained from this epoch, counted from 0; the training loop calls it before every epoch."""
        self._epoch = epoch
        chosen = self._trained(self._depth)
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PretrainedBackbone":
        """Set the mode; what is frozen stays in eval mode."""
        super().train(mode)
        self.model.eval()
        for module in self.trained_modules():
            module.train(mode)
        return self

    def parameter_groups(self) -> list[ParameterGroup]:
        """All that is trained at some epoch, the frozen of the first epochs too, from the top down."""
        return [group for group in self._groups() if group.parameters]

    def trained_modules(self) -> tuple[nn.Module, ...]:
        """The modules that are trained in the current epoch, each with all that is inside it; adapted layers too."""
        depth = len(self._layers) if self.plan.lora is not None else self._depth
        return self._modules_trained(depth)

    def frozen_names(self) -> frozenset[str]:
        """Names in `state_dict` of what never changes and can be read from the checkpoint again.

        None where the weights are random: they are nowhere else. For the same reason not those of tensors that the
        checkpoint lacked.
        """
        if self.record.weights == "random":
            return frozenset()
        most = self.plan.depth_at(LAST, len(self._layers))
        kept = self._trained(most) | self._named(self._unread)
        kept |= {id(buffer) for module in self._modules_trained(most) for buffer in module.buffers()}
        changing = {name for name, value in _tensors(self) if id(value) in kept}
        return frozenset(self.state_dict()) - changing

    def _modules_trained(self, depth: int) -> tuple[nn.Module, ...]:
        if depth > len(self._layers):
            return (self.model,)
        return (*self._layers[len(self._layers) - depth :], *self._top) if depth else ()

    def _trained(self, depth: int) -> set[int]:
        """Identities of the parameters trained at a depth."""
        if self.plan.lora is not None:
            return {id(value) for name, value in self.model.named_parameters() if ".lora_" in name}
        found = {id(value) for module in self._modules_trained(depth) for value in module.parameters()}
        return found - self._named(self._fixed)

    def _named(self, names: frozenset[str]) -> set[int]:
        return {id(value) for name, value in _tensors(self.model) if name in names} if names else set()

    def _groups(self) -> Iterator[ParameterGroup]:
        trained, seen = self._trained(self.plan.depth_at(LAST, len(self._layers))), set[int]()
        is_new = self.plan.lora is not None or self.record.weights == "random"
        name = "new" if is_new else "pretrained"
        stages: list[tuple[nn.Module, ...]] = [(*self._top, *self._layers[-1:])]
        stages += [(layer,) for layer in reversed(self._layers[:-1])]
        stages.append((self.model,))  # what lies below the layers
        for depth, modules in enumerate(stages):
            found: list[nn.Parameter] = []
            for parameter in (value for module in modules for value in module.parameters()):
                if id(parameter) in trained and id(parameter) not in seen:
                    seen.add(id(parameter))
                    found.append(parameter)
            yield ParameterGroup(name=name, depth=depth, parameters=tuple(found))


def _require_depth(depth: int | None, *, num_layers: int) -> None:
    if depth is not None and depth > num_layers:
        raise ValueError(
            f"`train_layers` must be at most {num_layers}, the layers that are read, but is {depth} instead. "
            "`freeze: false` trains all weights."
        )


def _inject(model: Any, lora: LoraParams, *, targets: Sequence[str]) -> None:
    """Put low-rank updates beside the linear layers of these names, in place.

    Raises:
        ValueError: if the network has no such layer.
    """
    paths = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    names = {path.rsplit(".", 1)[-1] for path in paths}
    unknown = [target for target in targets if not any(f".{path}".endswith(f".{target}") for path in paths)]
    if unknown or not targets:
        raise ValueError(
            f"`lora.target_modules` must be names of linear layers ({', '.join(sorted(names))}), but holds "
            f"{', '.join(unknown) or 'nothing'} instead."
        )
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(targets))
    inject_adapter_in_model(config, model)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every name of every parameter and buffer: one that is shared has several."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _names(module: nn.Module, identities: set[int]) -> frozenset[str]:
    return frozenset(name for name, value in _tensors(module) if id(value) in identities)


def backbones(module: nn.Module) -> list[tuple[str, PretrainedBackbone]]:
    """The pretrained networks inside a module, with their names."""
    return [(name, part) for name, part in module.named_modules() if isinstance(part, PretrainedBackbone)]
