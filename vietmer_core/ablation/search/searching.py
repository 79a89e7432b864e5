"""Making the searcher that a search names. Torch-free."""

from pydantic import BaseModel

from vietmer_core.ablation.search.searcher import Searcher
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Role
from vietmer_core.errors import PluginError


def build_searcher(params: BaseModel, catalogue: Catalogue) -> Searcher:
    """Make the searcher of some parameters.

    Raises:
        PluginError: if what its plugin makes is no searcher.
    """
    kind = str(getattr(params, "kind", ""))
    found = catalogue.find(Role.SEARCH, kind)
    made = found.component.build(params)
    if not isinstance(made, Searcher):
        raise PluginError(
            f"`search: {kind}` of {found.origin} must be a `Searcher`, with methods `open` and `is_hopeless`, but is "
            f"{type(made).__name__} instead."
        )
    return made
