"""Every check of VietMER, one session each; `nox -l` lists them.

All sessions run in the interpreter that runs nox, set up by `python -m pip install -r requirements.txt`: there is no
environment for each session, since each would install torch again. Only `versions` makes its own.
"""

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "typing", "tests", "plugins", "docs"]

ROOT = Path(__file__).parent
FUSIONS = ["xattn", "bilstm_attn", "cnn_bilstm_attn"]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format of every Python file."""
    session.run(sys.executable, "-m", "ruff", "check", ".")
    session.run(sys.executable, "-m", "ruff", "format", "--check", ".")
    session.run(sys.executable, "scripts/known_rows.py", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, mypy strict, over the core, every plugin and all tests."""
    session.run(sys.executable, "scripts/check_types.py")


@nox.session
def tests(session: nox.Session) -> None:
    """Test the core, the command line, the distributions and the documentation."""
    session.run(sys.executable, "-m", "pytest", "-n", "auto", "tests", *session.posargs)


@nox.session
def plugins(session: nox.Session) -> None:
    """Test every plugin, or those named: `nox -s plugins -- vietmer-fusion-xattn`."""
    chosen = [plugin for plugin in PLUGINS if not session.posargs or plugin.name in session.posargs]
    if not chosen:
        session.error(f"no folder under plugins/ is named {' or '.join(session.posargs)}")
    session.run(sys.executable, "-m", "pytest", "-n", "auto", *(str(plugin / "tests") for plugin in chosen))


@nox.session
def properties(session: nox.Session) -> None:
    """Search for counter-examples at length: the whole suite with many random examples for each property."""
    session.run(
        sys.executable, "-m", "pytest", "-n", "auto", *session.posargs, env={"HYPOTHESIS_PROFILE": "properties"}
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Run one benchmark: `nox -s bench -- NAME` runs benchmarks/NAME.py."""
    known = sorted(path.stem for path in ROOT.glob("benchmarks/*.py"))
    if not session.posargs or session.posargs[0] not in known:
        session.error(f"name one benchmark: {', '.join(known) or 'there is none yet'}")
    session.run(sys.executable, f"benchmarks/{session.posargs[0]}.py", *session.posargs[1:])


@nox.session
@nox.parametrize("fusion", FUSIONS)
def ablations(session: nox.Session, fusion: str) -> None:
    """Run the cells of a matrix with one fusion: `nox -s "ablations(fusion='xattn')" -- [MATRIX] [--only pooler=mean]`.

    The matrix is `docs/ablations/demo.yaml` unless another file is named first. Fusions that have no session of their
    own, and matrices without an axis `fusion`, are run by the first of the sessions. All share the interpreter and the
    features of frozen encoders.
    """
    given = list(session.posargs)
    matrix = given.pop(0) if given and not given[0].startswith("-") else "docs/ablations/demo.yaml"
    levels = fusions_of(Path(matrix))
    chosen = [level for level in levels if level == fusion or (fusion == FUSIONS[0] and level not in FUSIONS)]
    if not chosen and (levels or fusion != FUSIONS[0]):
        session.skip(f"{matrix} has no level `{fusion}` of an axis `fusion`: other sessions run it")
    only = ["--only", f"fusion={','.join(chosen)}"] if chosen else []
    session.run(sys.executable, "-m", "vietmer_core", "ablate", matrix, *only, *given)


def fusions_of(matrix: Path) -> list[str]:
    """The levels of its axis `fusion`; none where it has no such axis, or cannot be read, as `ablate` then says."""
    from vietmer_core.ablation.matrix_spec import AxisSpec
    from vietmer_core.errors import SpecError
    from vietmer_core.spec_files import read_plain

    try:
        axis = AxisSpec.model_validate(read_plain(matrix).values["axes"]["fusion"])
    except (SpecError, KeyError, TypeError, ValueError):
        return []
    return list(axis.names())


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.run(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")


@nox.session
def known(session: nox.Session) -> None:
    """Write the house's rows of vietmer_core/known.py from plugins/*/pyproject.toml."""
    session.run(sys.executable, "scripts/known_rows.py")


@nox.session(name="release-check")
def release_check(session: nox.Session) -> None:
    """Build every distribution and check what its wheel holds and declares."""
    session.run(sys.executable, "scripts/check_release.py", *session.posargs)


@nox.session(venv_backend="virtualenv")
@nox.parametrize("python,pins", [(f"3.{minor}", pins) for minor in (11, 12) for pins in ("pinned", "lowest")])
def versions(session: nox.Session, pins: str) -> None:
    """Test with the pinned and with the lowest declared versions, on each Python, in environments of its own."""
    constraints = ROOT / "constraints.txt"
    if pins == "lowest":
        constraints = Path(session.create_tmp()).resolve() / "lowest.txt"
        session.run(sys.executable, "scripts/lowest_versions.py", str(constraints), external=True)
    distributions = [argument for plugin in PLUGINS for argument in ("-e", str(plugin))]
    session.install(
        "-c",
        str(constraints),
        "-e",
        ".[testing]",
        *distributions,
        "pytest-xdist",
        "scikit-learn",
        "hatchling",
        "editables",
    )
    # Old libraries warn about their own, newer, dependencies: with the lowest versions a warning is not an error.
    options = ["-n", "auto", *(["-W", "default"] if pins == "lowest" else []), *session.posargs]
    session.run("python", "-m", "pytest", *options, env={**os.environ, "VIETMER_STRICT_PLUGINS": "1"})
