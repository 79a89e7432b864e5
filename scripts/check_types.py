"""Check types, mypy strict, over the core, every plugin, the scripts and all tests.

Test files of different plugins may share a name, and mypy refuses two modules of one name in a run: such files are
checked in further runs, which the cache makes short. The files of `tests/typing/cases` are left out: they are wrong on
purpose, and `tests/typing/test_cases.py` checks them one by one.
"""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

FOLDERS: Final = ("vietmer_core", "tests", "scripts", "benchmarks", "contrib")
BASES: Final = ("plugins/*/src", "plugins/*/tests", "scripts/*/")
"""Where absolute imports begin, besides the root: a script imports its neighbours."""
WRONG_ON_PURPOSE: Final = Path("tests/typing/cases")


def runs() -> list[list[str]]:
    """The files of each run of mypy: all at once, except plugins' test files whose name an earlier run has seen."""
    first = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py"))]
    first = [path for path in first if WRONG_ON_PURPOSE not in path.parents]
    first += [Path("noxfile.py"), Path("conftest.py"), *sorted(Path().glob("plugins/*/src/**/*.py"))]
    rounds: defaultdict[int, list[str]] = defaultdict(list)
    rounds[0] = [str(path) for path in first]
    seen: defaultdict[str, int] = defaultdict(int, {"conftest.py": 1})  # the root's own is in the first run
    for path in sorted(Path().glob("plugins/*/tests/**/*.py")):
        rounds[seen[path.name]].append(str(path))
        seen[path.name] += 1
    return [rounds[number] for number in sorted(rounds)]


def main() -> int:
    """Run mypy; the worst of its exit codes."""
    bases = [str(path) for pattern in BASES for path in sorted(Path().glob(pattern))]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(bases)}
    codes = [
        subprocess.run([sys.executable, "-m", "mypy", *files], env=environment, check=False).returncode  # noqa: S603  # our own files
        for files in runs()
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
