"""A file that is no matrix and no search, told as such before its fields are: an experiment spec is usual."""

from pathlib import Path
from typing import Final, Literal

from vietmer_core.errors import Problem, SpecError

_SPEC_FIELDS: Final = ("labels", "data", "fusion", "sampler")
"""Fields that every experiment spec has, at the top of it."""


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
