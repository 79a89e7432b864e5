"""Checks of parameters and of the plugin module: nothing here builds the component."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Final

from pydantic import ValidationError

from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError

_PROBE: Final = """
import importlib, json, sys
offenders = []
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
    if "torch" in sys.modules:
        offenders.append(name)
        break
print(json.dumps(offenders))
"""


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def params_json(candidate: Candidate) -> None:
    """Parameters come back equal from JSON, as the resolved spec of a run stores them."""
    params = candidate.params
    back = type(params).model_validate(json.loads(json.dumps(params.model_dump(mode="json"))))
    if back != params:
        raise _fail("params_json", candidate, f"{params!r} comes back from JSON as {back!r}.")


def params_frozen(candidate: Candidate) -> None:
    """Parameters cannot be changed after validation."""
    if candidate.params.model_config.get("frozen") is not True:
        rule = f"`{type(candidate.params).__name__}` must set `model_config = ConfigDict(frozen=True, extra='forbid')`"
        raise _fail("params_frozen", candidate, f"{rule}, but is not frozen.")


def params_extra(candidate: Candidate) -> None:
    """A misspelt parameter is refused and never ignored."""
    given = {**candidate.params.model_dump(), "a_parameter_that_nobody_declares": 1}
    try:
        type(candidate.params).model_validate(given)
    except ValidationError:
        return
    raise _fail("params_extra", candidate, "an unknown parameter must be refused: set `extra='forbid'`.")


def fresh_environment() -> dict[str, str]:
    """The environment of an interpreter that finds what this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@cache
def modules_importing_torch(modules: tuple[str, ...]) -> frozenset[str]:
    """Which of the modules import torch, seen from a fresh interpreter; one interpreter where none does."""
    command = [sys.executable, "-c", _PROBE, json.dumps(modules)]
    done = subprocess.run(command, env=fresh_environment(), capture_output=True, text=True, check=False)  # noqa: S603  # our own interpreter
    if done.returncode:
        raise ConformanceError(f"importing {', '.join(modules)} in a fresh interpreter fails:\n{done.stderr}")
    offenders = frozenset[str](json.loads(done.stdout.splitlines()[-1]))
    if not offenders or len(modules) == 1:
        return offenders
    return frozenset[str]().union(*(modules_importing_torch((module,)) for module in modules))


def plugin_modules(candidate: Candidate) -> Sequence[str]:
    """The modules that discovering the component imports."""
    component = candidate.component
    parts = (component.params, component.build, component.build_frontend)
    return sorted({part.__module__ for part in parts if part is not None})


def torch_free(candidate: Candidate) -> None:
    """Discovering the component and validating its parameters leaves torch unimported."""
    from vietmer_core.catalogue import installed_catalogue

    together = {
        module
        for offer in installed_catalogue().offered
        for module in plugin_modules(Candidate(component=offer.component, params=offer.component.tiny_params()))
    }
    own = set(plugin_modules(candidate))
    probed = tuple(sorted(together)) if own <= together else tuple(sorted(own))
    offenders = sorted(own & modules_importing_torch(probed))
    if offenders:
        raise _fail("torch_free", candidate, f"`{', '.join(offenders)}` imports torch; import it inside `build`.")
