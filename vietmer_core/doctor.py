"""What `vietmer doctor` finds out: does this environment carry VietMER, and if not, what mends it. Torch-free."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import requires
from types import MappingProxyType
from typing import Final

from vietmer_core import probes
from vietmer_core.doctor_findings import Finding, installed_version
from vietmer_core.doctor_findings import Status as Status  # noqa: PLC0414  # what a reader of findings needs
from vietmer_core.doctor_pretrained import pretrained
from vietmer_core.errors import PluginError
from vietmer_core.plugins import CORE_DISTRIBUTION, LoadedPlugins, installed_plugins
from vietmer_core.probes import Probe

TESTED_VERSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"torch": "2.14.1", "torchaudio": "2.11.0", "torchvision": "0.29.1"}
)
"""Builds of the torch family that load together; `constraints.txt` pins the same."""

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def examine() -> list[Finding]:
    """Look at everything. Takes the time of importing torch once, since the probes run side by side."""
    with ThreadPoolExecutor() as pool:
        torch = pool.submit(probes.probe, probes.TORCH)
        torchaudio = pool.submit(probes.probe, probes.TORCHAUDIO)
        torchvision = pool.submit(probes.probe, probes.TORCHVISION)
        audio_files = pool.submit(probes.probe, probes.AUDIO_FILES)
        pretrained_probe = pool.submit(probes.probe, probes.PRETRAINED)
        broken = pool.submit(probes.broken_requirements)
        machine_gpus = pool.submit(probes.gpus_of_machine)
    return [
        machine(),
        library("torch", torch.result(), needed_by=[CORE_DISTRIBUTION]),
        library("torchaudio", torchaudio.result(), needed_by=dependents("torchaudio")),
        library("torchvision", torchvision.result(), needed_by=dependents("torchvision")),
        requirements(broken.result()),
        audio_reading(audio_files.result()),
        *pretrained(pretrained_probe.result(), needed_by=dependents("transformers")),
        *plugins(),
        gpu(torch.result(), machine_gpus.result()),
        threads(torch.result()),
        ffmpeg(),
    ]


def machine() -> Finding:
    """Interpreter, system, cores and memory."""
    import psutil

    memory = psutil.virtual_memory()
    facts = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "cores": usable_cores(),
        "memory_gib": round(memory.total / 2**30, 1),
        "free_memory_gib": round(memory.available / 2**30, 1),
        "vietmer_core": installed_version(CORE_DISTRIBUTION),
    }
    message = (
        f"vietmer-core {facts['vietmer_core']}, Python {facts['python']}, {facts['platform']}, {facts['cores']} cores, "
        f"{facts['free_memory_gib']} of {facts['memory_gib']} GiB memory free."
    )
    return Finding(subject="machine", status=Status.GOOD, message=message, facts=facts)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def dependents(distribution: str) -> list[str]:
    """The installed distributions with a plugin of VietMER that declare a dependency on a distribution, sorted."""
    loaded = _loaded()
    if loaded is None:
        return []
    origins = [*loaded.origins, *(plugin.origin for plugin in loaded.broken)]
    names = {origin.distribution for origin in origins if installed_version(origin.distribution) is not None}
    return sorted(name for name in names if _declares(name, distribution))


def _declares(name: str, distribution: str) -> bool:
    wanted = [requirement for requirement in requires(name) or [] if "extra ==" not in requirement]
    names = [re.match(r"[\w.-]*", requirement) for requirement in wanted]
    return any(match is not None and match[0] == distribution for match in names)


def reinstall_command(*names: str) -> str:
    """The pip command that installs the tested builds of some libraries together."""
    pins = " ".join(f"{name}=={TESTED_VERSIONS[name]}" for name in names)
    return f"python -m pip install --force-reinstall {pins}"


def library(name: str, found: Probe, *, needed_by: list[str]) -> Finding:
    """One library of the torch family: does it load, and if not, what loads together."""
    installed = installed_version(name)
    together = ["torch"] if name == "torch" else ["torch", name]
    facts = {"installed": installed, "tested": TESTED_VERSIONS[name], "needed_by": needed_by, **found.facts}
    if not found.failure:
        message = f"version {found.facts['version']} loads; {TESTED_VERSIONS[name]} is the one tested."
        return Finding(subject=name, status=Status.GOOD, message=message, facts=facts)
    if installed is None and not needed_by:
        message = "it is not installed; no installed plugin needs it."
        return Finding(subject=name, status=Status.GOOD, message=message, facts=facts)
    needs = f", and {', '.join(needed_by)} needs it" if needed_by else ""
    state = f"version {installed} cannot be loaded" if installed else "it is not installed"
    beside = "" if name == "torch" else f" beside torch {installed_version('torch')}"
    reason = f": {found.failure}" if installed else ""
    return Finding(
        subject=name,
        status=Status.PROBLEM if needed_by else Status.NOTE,
        message=f"{state}{beside}{needs}{reason}.",
        remedy=f"Install builds that load together: {reinstall_command(*together)}",
        facts=facts,
    )


def requirements(found: Probe) -> Finding:
    """What the installed distributions declare against what is installed."""
    if found.failure:
        message = f"`pip check` says nothing, since {found.failure}, so no declared requirement was checked."
        remedy = "Run it by hand: python -m pip check"
        return Finding(subject="requirements", status=Status.NOTE, message=message, remedy=remedy)
    broken = found.facts["broken"]
    if not broken:
        return Finding(subject="requirements", status=Status.GOOD, message="Every declared requirement is met.")
    return Finding(
        subject="requirements",
        status=Status.PROBLEM,
        message=f"{'; '.join(line.rstrip('.') for line in broken)}.",
        remedy="Install the missing versions with: python -m pip install --upgrade <distribution>",
        facts={"broken": broken},
    )


def audio_reading(found: Probe) -> Finding:
    """Can audio files be read and resampled; each format is really written and read once."""
    remedy = "Install the wheels that carry their own libraries: python -m pip install --force-reinstall soundfile soxr"
    if found.failure:
        message = f"audio files cannot be read: {found.failure}."
        return Finding(subject="audio files", status=Status.PROBLEM, message=message, remedy=remedy)
    libraries = ", ".join(f"{name} {found.facts[name]}" for name in ("soundfile", "libsndfile", "soxr"))
    if found.facts["unreadable"]:
        message = f"{', '.join(found.facts['unreadable'])} cannot be read ({libraries})."
        return Finding(
            subject="audio files", status=Status.PROBLEM, message=message, remedy=remedy, facts=dict(found.facts)
        )
    message = f"WAV, FLAC, Opus and MP3 can be read, and resampled ({libraries})."
    return Finding(subject="audio files", status=Status.GOOD, message=message, facts=dict(found.facts))


def _loaded() -> LoadedPlugins | None:
    try:
        return installed_plugins()
    except PluginError:
        return None


def plugins() -> Iterator[Finding]:
    """The plugins found, then each that is broken."""
    try:
        loaded = installed_plugins()
    except PluginError as error:  # the strict variable is set
        yield Finding(subject="plugins", status=Status.PROBLEM, message=str(error))
        return
    count = len(loaded.origins) - 1  # without the core
    message = f"{count} plugins load and offer, with the core, {len(loaded.offered)} components."
    yield Finding(subject="plugins", status=Status.GOOD, message=message, facts={"plugins": count})
    for broken in loaded.broken:
        yield Finding(
            subject="plugins",
            status=Status.PROBLEM,
            message=f"plugin `{broken.origin.name}` of {broken.origin} is broken: {broken.reason}.",
            remedy=f"Reinstall or remove it: python -m pip uninstall {broken.origin.distribution}",
        )


def gpu(torch: Probe, of_machine: list[str]) -> Finding:
    """The GPUs that torch can use, and those that it cannot."""
    usable = list(torch.facts.get("gpus", []))
    facts = {"usable": usable, "present": of_machine, "built_for_cuda": torch.facts.get("built_for_cuda")}
    if usable:
        return Finding(subject="GPU", status=Status.GOOD, message=f"torch can use {', '.join(usable)}.", facts=facts)
    if of_machine and torch.failure:
        message = f"the machine has {', '.join(of_machine)}, but torch cannot be loaded, so it is not used."
        remedy = "Mend torch first; its own line says how"
        return Finding(subject="GPU", status=Status.NOTE, message=message, remedy=remedy, facts=facts)
    if of_machine:
        message = f"the machine has {', '.join(of_machine)}, but this torch cannot use it; everything runs on the CPU."
        remedy = "Install a build of torch for the CUDA version of the driver, and check the driver with: nvidia-smi"
        return Finding(subject="GPU", status=Status.NOTE, message=message, remedy=remedy, facts=facts)
    return Finding(subject="GPU", status=Status.GOOD, message="there is none; everything runs on the CPU.", facts=facts)


def threads(torch: Probe) -> Finding:
    """The threads that torch takes, and the variables that set them."""
    variables = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    taken, cores = torch.facts.get("threads"), usable_cores()
    facts = {"torch": taken, "cores": cores, **variables}
    said = ", ".join(f"{name}={value}" for name, value in variables.items()) or "no variable sets them"
    message = f"torch takes {taken if taken is not None else 'an unknown number of'} threads of {cores} cores ({said})."
    if taken is not None and taken > cores:
        remedy = f"More threads than cores slow training down: export OMP_NUM_THREADS={cores}"
        return Finding(subject="threads", status=Status.NOTE, message=message, remedy=remedy, facts=facts)
    return Finding(subject="threads", status=Status.GOOD, message=message, facts=facts)


def ffmpeg() -> Finding:
    """Is ffmpeg at hand; nothing in VietMER needs it."""
    path = shutil.which("ffmpeg")
    message = f"{path} is there." if path else "it is not on PATH; VietMER does not need it."
    return Finding(subject="ffmpeg (optional)", status=Status.GOOD, message=message, facts={"path": path})
