"""From spec files to an `ExperimentSpec`, or to every error in them at once, each located. Torch-free."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.errors import SpecError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_document import SpecDocument
from vietmer_core.spec_errors import problems_of
from vietmer_core.spec_fields import CATALOGUE_KEY
from vietmer_core.spec_files import read_documents


def load_spec(
    paths: Sequence[Path], overrides: Sequence[str] = (), *, catalogue: Catalogue | None = None
) -> ExperimentSpec:
    """Read, compose and validate an experiment.

    A kind that is not installed, or is offered twice, is an error of the spec like any other.

    Args:
        paths: YAML or TOML files, the later over the earlier.
        overrides: `a.b=value` each, over the files.
        catalogue: Components to look kinds up in; the installed ones by default.

    Raises:
        SpecError: with every error at once, each with its file, line and field.
    """
    return validate_document(read_documents(paths, overrides), catalogue=catalogue or installed_catalogue())


def validate_document(document: SpecDocument, *, catalogue: Catalogue) -> ExperimentSpec:
    """Validate a composed document.

    Raises:
        SpecError: with every error at once, each with its file, line and field.
    """
    try:
        return ExperimentSpec.model_validate(document.values, context={CATALOGUE_KEY: catalogue})
    except ValidationError as error:
        problems = problems_of(error, document, catalogue)
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    raise SpecError(f"the spec has {count}:", problems)
