"""The page of the kit names every check and every leak as they are."""

from pathlib import Path

from vietmer_core.components import Role
from vietmer_core.testing import CHECKS, MODEL_CHECKS
from vietmer_core.testing.leaky import LEAKS

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def rows_after(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_checks_is_complete() -> None:
    expected = []
    for name, check in CHECKS.items():
        roles = "all" if check.roles == set(Role) else ", ".join(role for role in Role if role in check.roles)
        expected.append([f"`{name}`", roles, check.rule])
    assert rows_after("The checks") == expected


def test_the_table_of_leaks_is_complete() -> None:
    expected = [[leak.name, ", ".join(f"`{name}`" for name in leak.caught_by), leak.cure] for leak in LEAKS]
    assert rows_after("Leaks, and what catches them") == expected


def test_the_checks_of_whole_models_are_named() -> None:
    section = PAGE.split("\n## The checks\n")[1].split("\n## ")[0]
    assert ", ".join(f"`{name}`" for name in MODEL_CHECKS) in section
