"""`TestedRun`: what a run predicted of one of its splits, from its folder alone. Torch-free.

Neither the model nor its plugins are needed: the resolved spec is read as plain values.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import yaml
from numpy.typing import NDArray

from vietmer_core.errors import RunError
from vietmer_core.evaluation.prediction_files import has_probabilities, read_rows
from vietmer_core.training.run_folder import RunFolder

CHANGE_NO_RESULT: Final = ("name", "seed", "loader", "cache", "trackers")
"""Fields of a spec in which runs of one system may differ."""
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The compiled one reads a resolved spec ten times as fast."""
_STAMP: Final = re.compile(r"-\d{8}-\d{6}(-\d+)?$")
"""What `RunFolder.create` puts behind the name of a run."""


@attrs.frozen(kw_only=True, eq=False)
class TestedRun:
    """One run and its predictions of a split.

    Attributes:
        folder: Its run folder.
        name: Of the spec.
        seed: Of the spec.
        labels: The label space.
        settings: The spec without its data, its seed and what changes no result: equal in runs of one system.
        trained_on: A digest of the training and validation data.
        data: The fingerprint of the split.
        hashes_audio: Whether that fingerprint is of the bytes of the audio.
        protocol: How the corpus was split, where the manifests say so.
        audit: The verdict on leaks between the splits, where there is one.
        is_calibrated: Whether the probabilities are those of `vietmer calibrate`; None where the scores do not say.
        utterance_ids: Of the split.
        speakers: Of each utterance.
        truth: `(utterances,)` classes.
        probabilities: `(utterances, classes)`.
    """

    __test__ = False  # not a test, whatever its name

    folder: RunFolder
    name: str
    seed: int
    labels: tuple[str, ...]
    settings: Mapping[str, Any]
    trained_on: str
    data: str
    hashes_audio: bool
    protocol: str | None
    audit: str | None
    is_calibrated: bool | None
    utterance_ids: tuple[str, ...]
    speakers: tuple[str | None, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def is_evaluated(path: Path, split: str) -> bool:
    """Whether a run has scores of a split, made with its present best weights.

    Raises:
        RunError: if the folder is not there or holds no run.
    """
    folder = RunFolder.open(path)
    scores, status = folder.read_json(_scores_name(split)), folder.read_status()
    return bool(scores) and scores.get("epoch") == status.get("best_epoch")


def read_tested_run(path: Path, *, split: str) -> TestedRun:
    """Read the predictions of a run that was evaluated.

    Raises:
        RunError: if it was not evaluated on the split since its weights last changed, or a file is damaged.
    """
    folder = RunFolder.open(path)
    if not is_evaluated(path, split):
        has = "has new weights since it was evaluated" if folder.read_json(_scores_name(split)) else "is not evaluated"
        command = f"vietmer evaluate {path} --split {split}"
        raise RunError(f"{path}: the run {has} on the split `{split}`. Run `{command}` first, or give `--evaluate`.")
    spec, scores = resolved_spec(folder), folder.read_json(_scores_name(split))
    rows, labels = read_rows(folder.predictions_path(split)), tuple(spec["labels"])
    calibration = scores.get("calibration") or {}
    found = _parts(rows, labels, place=folder.predictions_path(split))
    _require_same(scores, found, folder=folder, split=split)
    return TestedRun(
        folder=folder,
        name=str(spec["name"]),
        seed=int(spec["seed"]),
        labels=labels,
        settings=_settings(spec, folder),
        trained_on=digest({name: folder.read_json("provenance.json").get("data", {}).get(name) for name in FITTED}),
        data=str(scores["data"]),
        hashes_audio=spec["data"]["fingerprint"] == "content",
        protocol=scores.get("protocol"),
        audit=(scores.get("audit") or {}).get("verdict"),
        is_calibrated=calibration["temperature"] is not None if "temperature" in calibration else None,
        **found,
    )


FITTED: Final = ("train", "valid")
"""The splits that the weights depend on."""


def _scores_name(split: str) -> str:
    return f"evaluation/{split}/scores.json"


def resolved_spec(folder: RunFolder) -> dict[str, Any]:
    """The resolved spec as plain values."""
    try:
        text = folder.spec_path.read_text(encoding="utf-8")
        spec = yaml.load(text, Loader=_LOADER)  # noqa: S506  # both are safe loaders
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"{folder.spec_path}: cannot be read: {error}.") from None
    if not isinstance(spec, dict) or not {"name", "seed", "labels", "data"} <= spec.keys():
        raise RunError(f"{folder.spec_path}: is no resolved spec. Restore the file that `train` wrote.")
    return spec


def _parts(rows: list[dict[str, Any]], labels: tuple[str, ...], *, place: Path) -> dict[str, Any]:
    """What a run's predictions hold, as columns."""
    classes = {label: index for index, label in enumerate(labels)}
    for number, row in enumerate(rows, 1):
        whole = has_probabilities(row, labels) and {"utterance_id", "speaker_id"} <= row.keys()
        if not whole or row.get("label") not in labels:
            raise RunError(
                f"{place}:{number}: must be an object with `utterance_id`, `speaker_id`, `label` and a probability for "
                "each label of the run's spec. Evaluate the run again."
            )
    ids = tuple(str(row["utterance_id"]) for row in rows)
    if len(set(ids)) < len(ids):
        raise RunError(f"{place}: an utterance stands twice. Evaluate the run again.")
    return {
        "utterance_ids": ids,
        "speakers": tuple(row["speaker_id"] for row in rows),
        "truth": np.array([classes[row["label"]] for row in rows], dtype=np.int64),
        "probabilities": np.array([list(row["probabilities"].values()) for row in rows], dtype=np.float64),
    }


def _require_same(scores: Mapping[str, Any], found: Mapping[str, Any], *, folder: RunFolder, split: str) -> None:
    """Refuse predictions that are not those of the scores, as after another tool wrote one of the files."""
    hits = float((found["probabilities"].argmax(axis=1) == found["truth"]).mean()) if len(found["truth"]) else -1.0
    if scores["num_utterances"] != len(found["truth"]) or abs(scores["accuracy"] - hits) > 1e-9:
        raise RunError(
            f"{folder.predictions_path(split)}: the predictions are not those of {_scores_name(split)}. Run "
            f"`vietmer evaluate {folder.path} --split {split}` again."
        )


def _settings(spec: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    """What runs of one system have in common: the spec without data, seed and what changes no result.

    Of runs that begin from others (`initialise`), the others' names without their time stand for them, since each seed
    may have one of its own.
    """
    kept = {name: value for name, value in spec.items() if name not in (*CHANGE_NO_RESULT, "data", "initialise")}
    data = {name: value for name, value in spec["data"].items() if name in ("channel", "faults")}
    data |= {f"label_maps of {name}": _label_maps(spec["data"].get(name)) for name in FITTED}
    sources = folder.read_json("provenance.json").get("initialise") or {}
    initial = {part: _STAMP.sub("", str(record.get("run"))) for part, record in sources.items()}
    return {**kept, "data": data, "initialise": initial}


def _label_maps(manifests: object) -> list[object]:
    """The label map of each manifest of a split, where any has one: they decide what is learnt of the same bytes."""
    entries = manifests if isinstance(manifests, list) else []
    maps = [entry.get("label_map") or {} for entry in entries if isinstance(entry, Mapping)]
    return maps if any(maps) else []


def digest(value: object) -> str:
    """The same for equal plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
