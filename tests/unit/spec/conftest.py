"""A spec that is valid, a catalogue made by hand, and the errors of a text as a user sees them."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from vietmer_core import catalogue as catalogue_module
from vietmer_core import spec_fields
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Component, Modality, Role
from vietmer_core.errors import EXIT_USAGE, SpecError
from vietmer_core.plugins import OfferedComponent, Origin
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec

VALID = """\
labels: [angry, happy]
data:
  train: train.jsonl
  valid: valid.jsonl
text: words
audio: waves
fusion: {kind: join, dim: 16}
pooler: mean
sampler: ordered
"""

KNOWN = {
    ("fusion", "join"): "vietmer-fusion-join",
    ("fusion", "weave"): "vietmer-fusion-weave",
    ("text", "words"): "vietmer-text-words",
    ("text", "letters"): "a-strangers-name",
    ("tracker", "diary"): "vietmer-tracker-diary",
}


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Adapter(Params):
    rank: int = Field(default=4, ge=1)


class WordsParams(Params):
    kind: Literal["words"] = "words"
    layers: Literal["last", "all"] | int | list[int] = "last"
    adapter: Adapter | None = None


class WavesParams(Params):
    kind: Literal["waves"] = "waves"
    rate: int = Field(default=16_000, ge=1)


class JoinParams(Params):
    kind: Literal["join"] = "join"
    dim: int = Field(default=8, ge=1)
    num_heads: int = Field(default=4, ge=1)
    bias: bool = True


class SoloParams(Params):
    kind: Literal["solo"] = "solo"
    width: int = Field(default=8, ge=1)


class MeanParams(Params):
    kind: Literal["mean"] = "mean"


class MLPParams(Params):
    kind: Literal["mlp"] = "mlp"
    hidden_dims: tuple[int, ...] = (8,)


class CrossEntropyParams(Params):
    kind: Literal["cross_entropy"] = "cross_entropy"


class OrderedParams(Params):
    kind: Literal["ordered"] = "ordered"
    batch_size: int = 2


class ToyParams(Params):
    kind: Literal["toy"] = "toy"
    part: Literal["first", "second"] = "first"


class OtherToyParams(Params):
    kind: Literal["other_toy"] = "other_toy"


class BoardParams(Params):
    kind: Literal["board"] = "board"
    every: int = Field(default=1, ge=1)


class LedgerParams(Params):
    kind: Literal["ledger"] = "ledger"


def build(params: BaseModel) -> BaseModel:
    return params


def offer(role: Role, params: type[BaseModel], *modalities: Modality) -> OfferedComponent:
    component = Component(
        role=role,
        params=params,
        build=build,
        build_frontend=build if role in (Role.TEXT, Role.AUDIO) else None,
        summary="A part.",
        licence="Apache-2.0",
        modalities=frozenset(modalities or Modality),
    )
    return OfferedComponent(component=component, origin=Origin(name="parts", distribution="parts", version="1"))


@pytest.fixture(scope="session")
def offers() -> tuple[OfferedComponent, ...]:
    return (
        offer(Role.TEXT, WordsParams),
        offer(Role.AUDIO, WavesParams),
        offer(Role.FUSION, JoinParams),
        offer(Role.FUSION, SoloParams, Modality.TEXT),
        offer(Role.POOLER, MeanParams),
        offer(Role.HEAD, MLPParams),
        offer(Role.LOSS, CrossEntropyParams),
        offer(Role.SAMPLER, OrderedParams),
        offer(Role.CORPUS, ToyParams),
        offer(Role.CORPUS, OtherToyParams),
        offer(Role.TRACKER, BoardParams),
        offer(Role.TRACKER, LedgerParams),
    )


@pytest.fixture(scope="session")
def handmade(offers: tuple[OfferedComponent, ...]) -> Catalogue:
    return Catalogue(offers)


@pytest.fixture(autouse=True)
def _own_table_and_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A table of the tests' own, so that a new plugin of the house changes no sentence here."""
    monkeypatch.setattr(catalogue_module, "KNOWN_DISTRIBUTIONS", KNOWN)
    monkeypatch.setattr(spec_fields, "KNOWN_DISTRIBUTIONS", KNOWN)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def valid() -> str:
    return VALID


Load = Callable[..., ExperimentSpec]


@pytest.fixture
def load(handmade: Catalogue) -> Load:
    """Write texts to files (`spec.yaml` unless named) and load them over each other."""

    def run(*texts: str, overrides: tuple[str, ...] = (), **named: str) -> ExperimentSpec:
        names = ["spec.yaml", "second.yaml", "third.yaml"]
        files = dict(zip(names, texts, strict=False)) | {f"{key}.toml": text for key, text in named.items()}
        for name, text in files.items():
            Path(name).write_text(text, encoding="utf-8")
        return load_spec([Path(name) for name in files], overrides, catalogue=handmade)

    return run


@pytest.fixture
def faults(load: Load) -> Callable[..., list[str]]:
    """The problems of texts that cannot be used, as printed."""

    def run(*texts: str, overrides: tuple[str, ...] = (), **named: str) -> list[str]:
        with pytest.raises(SpecError) as caught:
            load(*texts, overrides=overrides, **named)
        assert caught.value.exit_code == EXIT_USAGE
        assert all("\n" not in str(problem) for problem in caught.value.problems)
        return [str(problem) for problem in caught.value.problems]

    return run
