"""From files to an `ExperimentSpec`."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import SpecError
from vietmer_core.spec import ExperimentSpec, reads
from vietmer_core.spec_fields import CATALOGUE_KEY
from vietmer_core.spec_loading import load_spec

Load = Callable[..., ExperimentSpec]

YAML = """\
name: both
labels: [giận dữ, vui, "no"]
seed: 3
data:
  train:
    - a.jsonl
    - {path: b.jsonl, root: audio, label_map: {bực bội: giận dữ}}
  valid: {corpus: {kind: toy, part: second}}
  channel: 1
text: words
audio: {kind: waves, rate: 8000}
fusion: {kind: join, dim: 4}
pooler: mean
sampler: {kind: ordered, batch_size: 3}
training:
  learning_rate: 1.0e-3
  learning_rates: {text: 1e-5}
"""

TOML = """\
name = "both"
labels = ["giận dữ", "vui", "no"]
seed = 3
text = "words"
pooler = "mean"

[data]
train = ["a.jsonl", {path = "b.jsonl", root = "audio", label_map = {"bực bội" = "giận dữ"}}]
valid.corpus = {kind = "toy", part = "second"}
channel = 1

[audio]
kind = "waves"
rate = 8000

[fusion]
kind = "join"
dim = 4

[sampler]
kind = "ordered"
batch_size = 3

[training]
learning_rate = 1e-3
learning_rates.text = 1e-5
"""


def test_yaml_and_toml_of_one_content_give_equal_specs(load: Load) -> None:
    spec = load(YAML)
    assert spec == load(also=TOML)
    assert spec != load(also=TOML.replace("seed = 3", "seed = 4"))
    assert spec.labels == ("giận dữ", "vui", "no")
    assert spec.training.learning_rates == {"text": 1e-5}
    assert spec.data.channel == 1


def test_yaml_and_toml_files_compose(load: Load, valid: str) -> None:
    spec = load(valid, second='seed = 7\n[fusion]\ndim = 32\n[data]\ntest = "t.jsonl"\n')
    assert spec.seed == 7
    assert spec.fusion.model_dump() == {"kind": "join", "dim": 32, "num_heads": 4, "bias": True}
    assert spec.data.test is not None


def test_what_a_spec_leaves_out_takes_its_default(load: Load, valid: str) -> None:
    spec = load(valid)
    assert (spec.name, spec.label_field, spec.seed, spec.threads) == ("experiment", "emotion", 0, None)
    assert (spec.kind("head"), spec.kind("loss")) == ("mlp", "cross_entropy")
    assert spec.training.epochs == 50
    assert spec.data.channel == "mono"
    assert [name for name, _ in spec.data.splits()] == ["train", "valid"]


def test_head_and_loss_need_no_kind_since_they_have_a_default(load: Load, valid: str) -> None:
    spec = load(valid, overrides=("head.hidden_dims=[3, 2]", "loss={}"))
    assert spec.head.model_dump() == {"kind": "mlp", "hidden_dims": (3, 2)}
    assert spec.kind("loss") == "cross_entropy"


def test_paths_become_absolute(load: Load, valid: str, tmp_path: Path) -> None:
    spec = load(valid, overrides=("data.test=t.jsonl",))
    paths = {name: [manifest.path for manifest in manifests] for name, manifests in spec.data.splits()}
    assert paths == {name: [tmp_path / f"{name}.jsonl"] for name in ("train", "valid")} | {
        "test": [tmp_path / "t.jsonl"]
    }


def test_booleans_keep_their_yaml_words(load: Load, valid: str) -> None:
    """`no` is text to the reader of files, and false to a field that is true or false."""
    spec = load(valid, overrides=("labels=[yes, no]", "fusion.bias=no"))
    assert spec.labels == ("yes", "no")
    assert spec.fusion.model_dump()["bias"] is False


def test_an_override_of_a_component_replaces_or_keeps_it(load: Load, valid: str) -> None:
    assert load(valid, overrides=("fusion.dim=2",)).fusion.model_dump()["dim"] == 2
    assert load(valid, overrides=("fusion=join",)).fusion.model_dump()["dim"] == 16
    solo = load(valid, overrides=("fusion.kind=solo", "fusion.width=3", "audio=null"))
    assert solo.fusion.model_dump() == {"kind": "solo", "width": 3}


def kinds(spec: ExperimentSpec) -> list[dict[str, object]]:
    return [tracker.model_dump() for tracker in spec.trackers]


def test_trackers_are_one_entry_or_a_list_of_kinds_and_mappings(load: Load, valid: str) -> None:
    board, ledger = {"kind": "board", "every": 1}, {"kind": "ledger"}
    assert load(valid).trackers == ()
    assert load(valid, "trackers: null\n").trackers == load(valid, "trackers: []\n").trackers == ()
    assert kinds(load(valid, "trackers: board\n")) == kinds(load(valid, "trackers: {kind: board}\n")) == [board]
    assert kinds(load(valid, "trackers: [ledger, {kind: board, every: 3}]\n")) == [ledger, board | {"every": 3}]
    assert kinds(load(valid, also="trackers = ['board', {kind = 'ledger'}]\n")) == [board, ledger]


def test_an_override_changes_one_tracker_and_a_later_list_replaces_all(load: Load, valid: str) -> None:
    single, several = f"{valid}trackers: board\n", f"{valid}trackers: [ledger, board]\n"
    for name in ("trackers.every", "trackers.0.every"):
        assert kinds(load(single, overrides=(f"{name}=4",))) == [{"kind": "board", "every": 4}]
    assert kinds(load(several, overrides=("trackers.1.every=4",)))[1] == {"kind": "board", "every": 4}
    assert kinds(load(several, "trackers: ledger\n")) == [{"kind": "ledger"}]
    assert kinds(load(f"{valid}trackers: {{kind: board, every: 4}}\n", "trackers: ledger\n")) == [{"kind": "ledger"}]
    assert kinds(load(several, overrides=("trackers=null",))) == []
    assert kinds(load(valid, overrides=("trackers.0.kind=board",))) == [{"kind": "board", "every": 1}]


def test_an_encoder_that_the_fusion_does_not_read_may_stand(load: Load, valid: str, handmade: Catalogue) -> None:
    spec = load(valid, overrides=("fusion=solo",))
    assert spec.kind("audio") == "waves"
    assert reads(spec, handmade) == {"text"}


def test_the_catalogue_given_is_the_one_used(valid: str, handmade: Catalogue) -> None:
    values = yaml.safe_load(valid)
    assert ExperimentSpec.model_validate(values, context={CATALOGUE_KEY: handmade}).kind("fusion") == "join"
    with pytest.raises(ValidationError, match="no installed distribution offers `fusion: join`"):
        ExperimentSpec.model_validate(values)
    with pytest.raises(ValidationError, match="none is installed"):
        ExperimentSpec.model_validate(values | {"pooler": {}}, context={CATALOGUE_KEY: Catalogue(())})


def test_the_model_itself_reports_every_missing_encoder(valid: str, handmade: Catalogue) -> None:
    values = yaml.safe_load(valid) | {"text": None, "audio": None}
    with pytest.raises(ValidationError) as caught:
        ExperimentSpec.model_validate(values, context={CATALOGUE_KEY: handmade})
    assert sorted(error["loc"] for error in caught.value.errors()) == [("audio",), ("text",)]


def test_reading_a_spec_leaves_torch_alone(valid: str) -> None:
    Path("spec.yaml").write_text(valid, encoding="utf-8")
    source = (
        "import sys\nfrom pathlib import Path\nfrom vietmer_core.errors import SpecError\n"
        "from vietmer_core.spec_loading import load_spec\n"
        "try:\n    load_spec([Path('spec.yaml')])\nexcept SpecError as error:\n    print(len(error.problems) > 0)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ({"kind": "focal", "class_weights": {"angry": 1.0, "cross": 2.0}}, "cross"),
        ({"kind": "cross_entropy", "class_weights": {"angry": 1.0}}, "sad"),
        ({"kind": "label_smoothing", "epsilon": 0.5}, "below 0.5"),
    ],
)
def test_a_loss_is_held_to_the_labels_before_anything_is_built(
    tmp_path: Path, loss: dict[str, object], said: str
) -> None:
    document = {
        "labels": ["angry", "sad"],
        "data": {"train": "t.jsonl", "valid": "v.jsonl"},
        "text": "syllable",
        "fusion": "text_only",
        "pooler": "mean",
        "sampler": "uniform",
        "loss": loss,
    }
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec([path])
    assert "loss" in str(caught.value)
    assert said in str(caught.value)
