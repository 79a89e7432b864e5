"""The spec of a run, from its folder. Torch-free."""

from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import RunError, SpecError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.run_folder import RunFolder


def read_spec(folder: RunFolder, catalogue: Catalogue | None = None) -> ExperimentSpec:
    """The resolved spec of a run.

    Raises:
        RunError: if it cannot be used here, for example because a plugin is missing.
    """
    try:
        return load_spec([folder.spec_path], catalogue=catalogue)
    except SpecError as error:
        raise RunError(f"{folder.path}: the run's spec cannot be used here: {error}") from None
