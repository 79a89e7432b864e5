"""Bad compositions must fail type checking: mypy's errors in `cases/`, line by line, are those that the lines name."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy comes with requirements.txt, not with the extra `testing`")

ROOT = Path(__file__).parents[2]
FOLDER = Path("tests") / "typing" / "cases"
CASES = sorted(path.name for path in (ROOT / FOLDER).glob("*.py"))
REFUSED = re.compile(r"# refused: (?P<codes>[a-z -]+)$")
ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")

Codes = dict[int, set[str]]


def expected(name: str) -> Codes:
    """The codes that each line of a case names."""
    lines = (ROOT / FOLDER / name).read_text(encoding="utf-8").splitlines()
    marks = {number: REFUSED.search(line) for number, line in enumerate(lines, start=1)}
    return {number: set(mark["codes"].split()) for number, mark in marks.items() if mark}


@pytest.fixture(scope="module")
def found() -> dict[str, Codes]:
    """The codes that mypy gives for each line of each case; one run, with the project's own settings."""
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--show-error-codes", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    codes: defaultdict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for match in filter(None, map(ERROR.match, done.stdout.splitlines())):
        codes[Path(match["file"]).name][int(match["line"])].add(match["code"])
    return {name: dict(codes[name]) for name in CASES}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_mypy_refuses_exactly_the_lines_that_say_so(name: str, found: dict[str, Codes]) -> None:
    assert found[name] == expected(name)


def test_the_cases_hold_both_right_and_wrong_code() -> None:
    counts = {name: len(expected(name)) for name in CASES}
    assert counts["accepted.py"] == 0
    assert counts["modules.py"] >= 11
    assert counts["builders.py"] >= 11
