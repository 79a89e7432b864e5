"""Every registered component keeps every rule of the house.

The tests of each distribution under `plugins/` run the kit on what it provides; here it runs on all other components
of the environment, those of the core and of strangers, and none is left out.
"""

import tomllib
from pathlib import Path

import pytest

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.testing import all_registered

FOLDERS = sorted(file.parent for file in Path(__file__).parents[2].glob("plugins/*/pyproject.toml"))
NAMES = {folder.name for folder in FOLDERS}


def others() -> Catalogue:
    found = installed_catalogue().offered
    return Catalogue(tuple(offer for offer in found if offer.origin.distribution not in NAMES))


test_conformance = all_registered(catalogue=others())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_tests_of_a_distribution_run_the_kit_on_all_that_it_provides(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    tests = "".join(file.read_text(encoding="utf-8") for file in folder.glob("tests/test_*.py"))
    for part in project["tool"]["vietmer"]["provides"]:
        assert f'conformance_tests("{part["role"]}", "{part["kind"]}"' in tests


def test_the_components_of_the_core_are_among_the_others() -> None:
    assert {"mean", "attn", "mlp", "cross_entropy"} <= {offer.component.kind for offer in others().offered}
