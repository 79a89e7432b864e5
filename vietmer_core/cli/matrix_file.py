"""A file of another kind than a command takes, told as such instead of field by field: specs, matrices, searches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from vietmer_core.errors import Problem, SpecError

_SPEC_FIELDS: Final = ("labels", "data", "fusion", "sampler")
"""Fields that every experiment spec has, at the top of it."""
_OF_OTHER_FILES: Final = {
    "trials": ("search", "search"),
    "search": ("search", "search"),
    "axes": ("matrix", "ablate"),
}
"""Fields that no experiment spec has, what has them, and the command for it; a search has `axes`, too."""


def check_no_matrix(paths: Sequence[Path]) -> None:
    """Refuse a matrix or a search where an experiment spec is wanted; a file that cannot be read is told elsewhere.

    Raises:
        SpecError: if one is.
    """
    from vietmer_core.spec_files import read_plain

    for path in paths:
        try:
            fields = read_plain(path).values
        except SpecError:
            continue
        found = next((given for given in _OF_OTHER_FILES if given in fields), None)
        if found is None or any(field in fields for field in _SPEC_FIELDS):
            continue
        what, command = _OF_OTHER_FILES[found]
        problem = Problem(
            where=str(path),
            message=f"looks like a {what}, since it has the field `{found}`.",
            remedy=f"Run it with `vietmer {command} {path}`.",
        )
        raise SpecError("the spec cannot be used:", [problem])


def check_file_of(what: Literal["matrix", "search"], path: Path) -> None:
    """Refuse a file that cannot be read, or that is an experiment spec.

    Raises:
        SpecError: if it is one.
    """
    from vietmer_core.spec_files import read_plain

    try:
        document = read_plain(path)
    except SpecError as error:
        raise SpecError(f"the {what} cannot be read:", error.problems) from None
    if "axes" in document.values or not any(field in document.values for field in _SPEC_FIELDS):
        return
    problem = Problem(
        where=str(path),
        message="looks like an experiment spec, since it has no `axes`.",
        remedy=f"Train it with `vietmer train {path}`, or name it in a {what} file: `base: {path.name}`.",
    )
    raise SpecError(f"the {what} cannot be used:", [problem])
