"""Making the executor that a matrix names. Torch-free."""

from pydantic import BaseModel

from vietmer_core.ablation.executor import Executor
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Role
from vietmer_core.errors import PluginError


def build_executor(params: BaseModel, catalogue: Catalogue) -> Executor:
    """Make the executor of some parameters.

    Raises:
        PluginError: if what its plugin makes is no executor.
    """
    kind = str(getattr(params, "kind", ""))
    found = catalogue.find(Role.EXECUTOR, kind)
    made = found.component.build(params)
    if not isinstance(made, Executor):
        raise PluginError(
            f"`executor: {kind}` of {found.origin} must be an `Executor`, with a method `run`, but is "
            f"{type(made).__name__} instead."
        )
    return made
