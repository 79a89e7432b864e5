"""Write a constraints file that pins each direct dependency to the lowest version that the distributions declare.

Run from the root of the repository: `python scripts/lowest_versions.py lowest.txt`. Where two distributions declare
different bounds for one dependency, the higher one counts: it is the lowest that satisfies both.
"""

import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version


def _requirements(project: dict[str, Any]) -> Iterator[Requirement]:
    yield from map(Requirement, project.get("dependencies", []))
    for extra in project.get("optional-dependencies", {}).values():
        yield from map(Requirement, extra)


def lowest_versions(root: Path) -> dict[str, Version]:
    """The lowest version of every direct dependency of the core and the plugins.

    Raises:
        SystemExit: if no distribution declares a lower bound for a dependency.
    """
    files = [root / "pyproject.toml", *sorted(root.glob("plugins/*/pyproject.toml"))]
    projects = [tomllib.loads(file.read_text(encoding="utf-8"))["project"] for file in files]
    house = {project["name"] for project in projects}
    bounds: defaultdict[str, list[Version]] = defaultdict(list)
    for project in projects:
        for requirement in _requirements(project):
            if requirement.name not in house:
                lower = [clause.version for clause in requirement.specifier if clause.operator in (">=", "==", "~=")]
                bounds[requirement.name] += map(Version, lower)
    unbounded = sorted(name for name, versions in bounds.items() if not versions)
    if unbounded:
        sys.exit(f"no distribution declares a lower bound, such as `>=1.0`, for {', '.join(unbounded)}.")
    return {name: max(versions) for name, versions in sorted(bounds.items())}


def main() -> None:
    """Write the constraints file named on the command line."""
    lines = [f"{name}=={version}\n" for name, version in lowest_versions(Path()).items()]
    Path(sys.argv[1]).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
