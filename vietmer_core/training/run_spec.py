"""The spec of a run, from its folder. Torch-free."""

from difflib import get_close_matches

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


def chosen_split(folder: RunFolder, split: str | None) -> str:
    """The split that is asked for; where none is, `test` if the spec of the run names one, else `valid`.

    Raises:
        RunError: if the spec names no such split, or cannot be used here.
    """
    spec = read_spec(folder)
    chosen = split or ("test" if spec.data.test is not None else "valid")
    check_split(folder, spec, chosen)
    return chosen


def check_split(folder: RunFolder, spec: ExperimentSpec, split: str) -> None:
    """Refuse a split that the spec of a run does not name.

    Raises:
        RunError: if it does not.
    """
    names = [name for name, _ in spec.data.splits()]
    if split not in names:
        near = get_close_matches(split, names, n=1)
        meant = f" Did you mean `{near[0]}`?" if near else ""
        raise RunError(f"{folder.path}: the run's spec has no split `{split}`; it has: {', '.join(names)}.{meant}")
