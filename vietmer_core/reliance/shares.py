"""The share of each modality in a prediction. Torch-free.

With v the probability of the class that the whole utterance is given, as a function of what the model gets, the Shapley
value of the text (Shapley 1953) is its gain averaged over both orders in which the modalities may arrive:

    φ_text = ½ (v(text) - v(nothing)) + ½ (v(both) - v(audio))

and φ_text + φ_audio = v(both) - v(nothing). Two players need four passes, so the value is exact. That a share is a
part of the absolute values follows MM-SHAP (Parcalabescu and Frank 2023), whose players are tokens and patches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.components import Modality
from vietmer_core.data.manifest import Manifest
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.reliance.scoring import mean_interval

Reading = Mapping[str, Mapping[str, float]]
"""What `vietmer_core.reliance.attention` reads of one utterance."""

MOST_GROUPS: Final = 20
"""A metadata field with more values makes no subgroups."""
SUBGROUPS: Final = ("corpus", "gender", "accent", "channel", "role")
MODALITIES: Final = (Modality.TEXT, Modality.AUDIO)


@attrs.frozen(kw_only=True, eq=False)
class Shares:
    """How each utterance of a split is predicted with and without its modalities.

    Attributes:
        predicted: `(utterances,)` class that the whole utterance is given.
        both: `(utterances,)` probability of that class, both modalities given.
        alone: By modality, `(utterances,)` its probability with that modality alone.
        nothing: `(utterances,)` its probability with neither.
    """

    predicted: NDArray[np.int64]
    both: NDArray[np.float64]
    alone: Mapping[Modality, NDArray[np.float64]]
    nothing: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        both: NDArray[np.float64],
        *,
        alone: Mapping[Modality, NDArray[np.float64]],
        nothing: NDArray[np.float64],
        has: Mapping[Modality, NDArray[np.bool_]],
    ) -> "Shares":
        """From the probabilities of all classes.

        Args:
            both: `(utterances, classes)`, unchanged.
            alone: By modality, `(utterances, classes)` with that modality alone.
            nothing: `(classes,)`, of an utterance that has nothing.
            has: By modality, `(utterances,)` bool. What an utterance lacks adds exactly nothing.
        """
        predicted = both.argmax(axis=1)
        rows = np.arange(len(both))
        of_class = both[rows, predicted]
        prior = nothing[predicted]
        return cls(
            predicted=predicted,
            both=of_class,
            alone={
                modality: np.where(
                    ~has[modality],
                    prior,
                    np.where(~has[_other(modality)], of_class, alone[modality][rows, predicted]),
                )
                for modality in MODALITIES
            },
            nothing=prior,
        )

    def drop(self, modality: Modality) -> NDArray[np.float64]:
        """`(utterances,)`: by how much the probability falls when the modality is removed."""
        return self.both - self.alone[_other(modality)]

    def shapley(self, modality: Modality) -> NDArray[np.float64]:
        """`(utterances,)`: the Shapley value of the modality."""
        return ((self.alone[modality] - self.nothing) + self.drop(modality)) / 2

    def share(self, modality: Modality) -> NDArray[np.float64]:
        """`(utterances,)`: its part of the absolute Shapley values, from 0 to 1; NaN where both are 0."""
        own, other = np.abs(self.shapley(modality)), np.abs(self.shapley(_other(modality)))
        total = own + other
        found: NDArray[np.float64] = np.divide(own, total, out=np.full(len(total), np.nan), where=total > 0)
        return found


def _other(modality: Modality) -> Modality:
    return Modality.AUDIO if modality is Modality.TEXT else Modality.TEXT


def share_rows(
    shares: Shares, manifest: Manifest, labels: Sequence[str], attention: Sequence[Reading]
) -> Iterator[dict[str, Any]]:
    """One row an utterance for `shares.jsonl`."""
    shapley = {modality: shares.shapley(modality) for modality in MODALITIES}
    drop = {modality: shares.drop(modality) for modality in MODALITIES}
    share = {modality: shares.share(modality) for modality in MODALITIES}
    for place, utterance in enumerate(manifest):
        is_known = bool(np.isfinite(share[Modality.TEXT][place]))
        yield {
            "utterance_id": utterance.utterance_id,
            "speaker_id": utterance.speaker_id,
            "label": utterance.label,
            "predicted": labels[int(shares.predicted[place])],
            "probability": float(shares.both[place]),
            "alone": {modality.value: float(shares.alone[modality][place]) for modality in MODALITIES},
            "nothing": float(shares.nothing[place]),
            "drop": {modality.value: float(drop[modality][place]) for modality in MODALITIES},
            "shapley": {modality.value: float(shapley[modality][place]) for modality in MODALITIES},
            "share": {m.value: float(share[m][place]) for m in MODALITIES} if is_known else None,
            **({"attention": attention[place]} if attention else {}),
        }


def summarise_shares(
    shares: Shares, manifest: Manifest, before: Outcomes, attention: Sequence[Reading], *, seed: int
) -> dict[str, Any]:
    """Means over the split, over its classes, right and wrong predictions, and subgroups, for `reliance.json`.

    Args:
        shares: Of every utterance.
        manifest: The split.
        before: Its outcomes unchanged.
        attention: Of every utterance, or nothing.
        seed: Of the bootstrap.
    """
    labels = before.labels
    keys: dict[str, list[str | None]] = {
        "label": [labels[int(place)] for place in before.truth],
        "predicted": [labels[int(place)] for place in shares.predicted],
        "outcome": ["right" if right else "wrong" for right in before.hits],
        **_subgroups(manifest),
    }

    def mean(rows: NDArray[np.int64]) -> dict[str, Any]:
        return _mean(shares, rows, before.clusters, attention, seed=seed)

    def rows_of(values: Sequence[str | None], wanted: str) -> NDArray[np.int64]:
        return np.array([row for row, value in enumerate(values) if value == wanted])

    by = {
        field: {value: mean(rows_of(values, value)) for value in sorted({found for found in values if found})}
        for field, values in keys.items()
    }
    return {"mean": mean(np.arange(len(before))), "by": by}


def _subgroups(manifest: Manifest) -> dict[str, list[str | None]]:
    """The metadata fields that part the split, each with its value for every utterance."""
    metadata = [utterance.metadata for utterance in manifest]
    found = {}
    for field in SUBGROUPS:
        values = [None if row.get(field) is None else str(row[field]) for row in metadata]
        if 1 < len(set(values) - {None}) <= MOST_GROUPS:
            found[field] = values
    return found


def _mean(
    shares: Shares,
    rows: NDArray[np.int64],
    clusters: NDArray[np.int64],
    attention: Sequence[Reading],
    *,
    seed: int,
) -> dict[str, Any]:
    found: dict[str, Any] = {"num_utterances": len(rows)}
    for name, values in (("drop", shares.drop), ("shapley", shares.shapley), ("share", shares.share)):
        means = {modality: values(modality)[rows] for modality in MODALITIES}
        known = np.isfinite(means[Modality.TEXT])
        found[name] = {m.value: float(means[m][known].mean()) if known.any() else None for m in MODALITIES}
    text = shares.share(Modality.TEXT)[rows]
    known = np.isfinite(text)
    if known.any():
        interval = mean_interval(text[known], clusters=clusters[rows][known], seed=seed)
        found["text_share_interval"] = interval.as_json()
    if attention:
        found["attention"] = _mean_attention([attention[row] for row in rows.tolist()])
    return found


def _mean_attention(readings: Sequence[Reading]) -> Reading:
    collected: dict[str, dict[str, list[float]]] = {}
    for reading in readings:
        for name, values in reading.items():
            for key, value in values.items():
                collected.setdefault(name, {}).setdefault(key, []).append(value)
    return {name: {key: float(np.mean(found)) for key, found in values.items()} for name, values in collected.items()}
