"""`requirements.txt` and `constraints.txt` are the README's one command: complete, exact and free of addresses."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[0-9][0-9A-Za-z.]*)(?P<marker> ; .+)?$")


def lines(name: str) -> list[str]:
    """The lines of a requirements file that are not comments."""
    stripped = (line.split(" #")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def pins() -> dict[str, str]:
    matches = [PIN.match(line) for line in lines("constraints.txt")]
    return {match["name"]: match["version"] for match in matches if match}


def project(folder: Path) -> dict[str, object]:
    document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, object] = document["project"]
    return found


def required(requirement: Requirement, seen: set[tuple[str, str]]) -> Iterator[str]:
    """The names that a requirement pulls in here, itself first; a missing one is left to pip."""
    try:
        found = distribution(requirement.name)
    except PackageNotFoundError:
        return
    yield canonicalize_name(requirement.name)
    for extra in requirement.extras or {""}:
        if (requirement.name, extra) in seen:
            continue
        seen.add((requirement.name, extra))
        for inner in map(Requirement, found.requires or []):
            if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                yield from required(inner, seen)


def wanted_python(name: str) -> str:
    """`Requires-Python` of an installed distribution; an empty string, which admits all, where it has none."""
    return str(distribution(name).metadata.json.get("requires_python", ""))


def pulled_in() -> set[str]:
    """Everything that `requirements.txt` installs in the present environment, apart from the house's own."""
    roots = [Requirement("vietmer-core[frames,testing]")]
    roots += [Requirement(folder.name) for folder in FOLDERS]
    roots += [Requirement(line) for line in lines("requirements.txt") if not line.startswith("-")]
    seen: set[tuple[str, str]] = set()
    names = {name for root in roots for name in required(root, seen)}
    return {name for name in names if not name.startswith("vietmer-")}


def test_requirements_install_the_core_with_its_test_tools_under_the_constraints() -> None:
    assert lines("requirements.txt")[:2] == ["-c constraints.txt", "-e .[frames,testing]"]


def test_requirements_name_every_folder_under_plugins_and_no_other() -> None:
    listed = [line.removeprefix("-e ./plugins/") for line in lines("requirements.txt") if line.startswith("-e ./")]
    assert listed == [folder.name for folder in FOLDERS]
    assert len(listed) > 0


def test_every_pin_is_exact() -> None:
    assert [line for line in lines("constraints.txt") if PIN.match(line) is None] == []
    names = [line.split("==")[0] for line in lines("constraints.txt")]
    assert names == sorted(set(names))


def test_everything_that_requirements_pull_in_is_pinned() -> None:
    if version("typer") != pins()["typer"]:
        pytest.skip("other versions, as in the session `versions`, pull in other distributions")
    found = pulled_in()
    assert {"torch", "numpy", "pytest", "sympy"} <= found  # direct ones and one that torch brings
    assert sorted(found - set(pins())) == []


@pytest.mark.parametrize("python", ["3.11.0", "3.11.2", "3.12.0"])
def test_every_pin_installs_on_every_python_that_the_core_admits(python: str) -> None:
    """`Requires-Python` of the installed versions: a pin that needs 3.11.5 fails on a machine that has 3.11.2."""
    refused = [
        f"{name} needs Python {wanted}"
        for name, wanted in ((name, wanted_python(name)) for name in sorted(pulled_in()))
        if Version(python) not in SpecifierSet(wanted)
    ]
    assert Version(python) in SpecifierSet(str(project(ROOT)["requires-python"]))
    assert refused == []


def test_a_pin_satisfies_what_the_distributions_declare() -> None:
    pinned = pins()
    for folder in [ROOT, *FOLDERS]:
        for requirement in map(Requirement, project(folder).get("dependencies", [])):  # type: ignore[call-overload]  # a list of strings
            if not requirement.name.startswith("vietmer-"):
                assert Version(pinned[canonicalize_name(requirement.name)]) in requirement.specifier, folder.name


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt"])
def test_no_file_names_an_index_or_an_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"https?:|index-url|find-links|--hash| @ ", text) == []


def test_all_distributions_have_one_version_and_licence() -> None:
    core = project(ROOT)
    for folder in FOLDERS:
        plugin = project(folder)
        assert plugin["name"] == folder.name
        for field in ("version", "requires-python"):
            assert plugin[field] == core[field], f"{folder.name}: `{field}`"
        assert str(core["license"]) in str(plugin["license"]).split(" AND "), folder.name  # data may add its own
