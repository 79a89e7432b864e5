"""The charter of `contrib/`: dependencies run one way, and each folder has an owner, a readme and tests."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*ROOT.glob("vietmer_core/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])


def imported_modules(source: str) -> set[str]:
    """The modules that a source imports, `from . import x` aside."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def imports_contrib(source: str, modules: frozenset[str]) -> set[str]:
    """The imports of a source that reach into `contrib/`, whose own top-level modules are `modules`."""
    return {name for name in imported_modules(source) if name.split(".")[0] in {"contrib", *modules}}


def contrib_modules(folder: Path) -> frozenset[str]:
    """The top-level import names that the folders of `contrib/` offer."""
    packages = {path.parent.name for path in folder.glob("*/src/*/__init__.py")}
    return frozenset(packages | {path.name for path in folder.iterdir() if path.is_dir()})


def lacking(folder: Path) -> list[str]:
    """What the folders of `contrib/` lack, `module: thing`."""
    modules = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__")
    faults = [
        f"{module.name}: {name}" for module in modules for name in ("OWNER", "README.md") if not _full(module / name)
    ]
    return faults + [f"{module.name}: tests/" for module in modules if not list(module.glob("tests/**/test_*.py"))]


def _full(file: Path) -> bool:
    return file.is_file() and bool(file.read_text(encoding="utf-8").strip())


def test_nothing_shipped_imports_contrib() -> None:
    assert len(SHIPPED) > 50
    modules = contrib_modules(ROOT / "contrib")
    offenders = {str(path.relative_to(ROOT)): imports_contrib(path.read_text("utf-8"), modules) for path in SHIPPED}
    assert {path: names for path, names in offenders.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    ["import contrib.prosody", "from contrib import prosody", "from contrib.prosody import x", "import prosody.model"],
)
def test_an_import_of_contrib_is_seen(line: str) -> None:
    assert imports_contrib(f"def build():\n    {line}\n", frozenset({"prosody"}))


def test_another_import_is_not() -> None:
    assert not imports_contrib("import torch\nfrom contributors import names", frozenset({"prosody"}))


def test_every_module_of_contrib_keeps_the_charter() -> None:
    assert _full(ROOT / "contrib" / "README.md")
    assert lacking(ROOT / "contrib") == []


def test_a_module_that_lacks_an_owner_is_seen(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for module in (good, bad):
        (module / "tests").mkdir(parents=True)
        (module / "README.md").write_text("What it is.", encoding="utf-8")
    (good / "OWNER").write_text("A. Nguyen", encoding="utf-8")
    (good / "tests" / "test_model.py").touch()
    assert lacking(tmp_path) == ["bad: OWNER", "bad: tests/"]
