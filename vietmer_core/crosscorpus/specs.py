"""From one spec to that of each corpus and seed. Torch-free."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

import vietmer_core
from vietmer_core.catalogue import Catalogue
from vietmer_core.crosscorpus.corpora import Corpus
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.splits import open_split
from vietmer_core.errors import DataError
from vietmer_core.spec import DataSpec, ExperimentSpec
from vietmer_core.spec_loading import load_spec

CHANGE_NO_RESULT: Final = ("name", "loader", "cache", "trackers")
"""Fields that do not enter an address, beside the places of the data."""


@attrs.frozen(kw_only=True)
class Recipe:
    """How every model of a matrix is trained.

    Attributes:
        specs: Spec files; what they say of `labels` and of the splits does not count.
        overrides: `FIELD=VALUE`, laid over them.
        space: The labels that the map maps to.
        label_map: Its name and version.
    """

    specs: tuple[Path, ...]
    overrides: tuple[str, ...]
    space: tuple[str, ...]
    label_map: str

    def spec(
        self, corpus: Corpus, *, seed: int | None, catalogue: Catalogue, labels: Sequence[str] | None = None
    ) -> ExperimentSpec:
        """The spec of one corpus and seed.

        Args:
            corpus: Trained on.
            seed: Instead of the spec's own.
            catalogue: Where components come from.
            labels: Those that its training split has; the whole space where None.

        Raises:
            SpecError: with every error of the spec.
        """
        kept = self.space if labels is None else tuple(labels)
        splits = {
            split: [{"path": str(corpus.folder / f"{split}.jsonl"), "label_map": corpus.map_to(kept)}]
            for split in ("train", "valid")
        }
        given = [f"data.{split}={_yaml(manifests)}" for split, manifests in splits.items()]
        own = [] if seed is None else [f"seed={seed}"]
        changes = [*self.overrides, f"labels={_yaml(list(kept))}", *given, "data.test=null", *own]
        spec = load_spec(list(self.specs), changes, catalogue=catalogue)
        return spec.model_copy(update={"name": f"{spec.name}-{corpus.name}"})


def _yaml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def tested_on(spec: ExperimentSpec, corpus: Corpus, *, labels: Sequence[str]) -> ExperimentSpec:
    """The spec of a trained model with the test split of a corpus, of which some labels are kept.

    Raises:
        DataError: if the corpus has no test split.
    """
    test = [{"path": str(corpus.manifest("test")), "label_map": corpus.map_to(labels)}]
    data = DataSpec.model_validate({**spec.data.model_dump(), "test": test})
    return spec.model_copy(update={"data": data})


def address_of_training(spec: ExperimentSpec, catalogue: Catalogue) -> str:
    """What decides the weights of a model: the resolved spec, the bytes of its data and the version of the core.

    Raises:
        DataError: if the training or the validation split cannot be used.
    """
    content = spec.data.fingerprint == "content"
    data = {
        split: split_fingerprint(open_split(spec, split, catalogue), content=content) for split in ("train", "valid")
    }
    return _digest({"spec": _without_places(spec.resolved()), "data": data, "version": vietmer_core.__version__})


def address_of_test(training: str, spec: ExperimentSpec, catalogue: Catalogue) -> str:
    """What decides the predictions of one model on one corpus.

    Raises:
        DataError: if the test split cannot be used.
    """
    manifest = open_split(spec, "test", catalogue)
    fingerprint = split_fingerprint(manifest, content=spec.data.fingerprint == "content")
    maps = [entry["label_map"] for entry in spec.resolved()["data"]["test"]]
    return _digest({"training": training, "data": fingerprint, "label_maps": maps})


def labels_to_train(corpus: Corpus, *, space: Sequence[str], label_field: str) -> tuple[str, ...]:
    """The labels of the space that the training split of a corpus has.

    Raises:
        DataError: if there are fewer than two.
    """
    labels = corpus.present("train", space=space, label_field=label_field)
    if len(labels) < 2:
        raise DataError(
            f"{corpus.manifest('train')}: of the labels {', '.join(space)} only {', '.join(labels)} occurs, and a "
            "model needs two. Use another label map."
        )
    return labels


def _without_places(resolved: dict[str, Any]) -> dict[str, Any]:
    """A resolved spec without where its data lies and what changes no result."""
    kept = {name: value for name, value in resolved.items() if name not in CHANGE_NO_RESULT}
    data = {
        name: [{"label_map": entry["label_map"]} for entry in value] if isinstance(value, list) else value
        for name, value in resolved["data"].items()
    }
    return {**kept, "data": data}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:24]
