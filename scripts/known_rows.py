"""Write the house's rows of `vietmer_core/known.py` from `plugins/*/pyproject.toml`, or check that they are written.

Run from the root of the repository: `python scripts/known_rows.py` writes, `--check` only compares.
"""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Final

BEGIN: Final = "        # generated: begin\n"
END: Final = "        # generated: end\n"


def rows(root: Path) -> list[str]:
    """One line of source for each kind that a plugin of the house provides, sorted."""
    suppliers: dict[tuple[str, str], str] = {}
    for file in sorted(root.glob("plugins/*/pyproject.toml")):
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        name = document["project"]["name"]
        for entry in document["tool"]["vietmer"]["provides"]:
            key = (entry["role"], entry["kind"])
            if key in suppliers:
                sys.exit(f"`{key[0]}: {key[1]}` is provided by {suppliers[key]} and by {name}; one of them must go.")
            suppliers[key] = name
    return [f'        ("{role}", "{kind}"): "{name}",\n' for (role, kind), name in sorted(suppliers.items())]


def main() -> int:
    """Write or check; 1 where the check finds the table out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; leave with 1 where rows differ")
    parser.add_argument("--root", type=Path, default=Path(), help="root of the repository")
    arguments = parser.parse_args()
    file = arguments.root / "vietmer_core" / "known.py"
    source = file.read_text(encoding="utf-8")
    before, _, rest = source.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = before + BEGIN + "".join(rows(arguments.root)) + END + after
    if made == source:
        return 0
    if arguments.check:
        print("vietmer_core/known.py does not match plugins/*/pyproject.toml. Run: nox -s known", file=sys.stderr)
        return 1
    file.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
