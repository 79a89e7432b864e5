"""Every error at once, each at the file and line that caused it."""

from collections.abc import Callable

Faults = Callable[..., list[str]]

YAML_FAULTS = """\
labels: [angry, happy, angry]
seed: -1
lable_field: mood
data:
  train:
    - a.jsonl
    - path: b.jsonl
      rooot: audio
      label_map:
        1: angry
        calm: sad
  test: 5
text:
fusion:
  kind: join
  num_heads: 0
  bias: maybe
pooler: meen
sampler: {kind: ordered, size: 3}
training:
  learning_rates: {texts: 1}
"""

YAML_SENTENCES = [
    "spec.yaml:1: labels.2: `angry` is a label already; labels must be distinct.",
    "spec.yaml:2: seed: must be at least 0, but is -1 instead.",
    "spec.yaml:3: lable_field: there is no such field; did you mean `label_field`?",
    "spec.yaml:4: data.valid: is required.",
    "spec.yaml:8: data.train.1.rooot: there is no such field; did you mean `root`?",
    "spec.yaml:10: data.train.1.label_map.1: its name must be text, but is 1 instead. Put it in quotes.",
    "spec.yaml:11: data.train.1.label_map.calm: must be one of angry, happy or null, but is `sad` instead.",
    "spec.yaml:12: data.test: must be the path of a file, or a mapping with a `path` or a `corpus`, but is 5 instead.",
    "spec.yaml:13: text: is required, since `fusion: join` reads text; installed: words.",
    "spec.yaml:16: fusion.num_heads: must be at least 1, but is 0 instead.",
    'spec.yaml:17: fusion.bias: must be true or false, but is "maybe" instead.',
    "spec.yaml:18: pooler.kind: no installed distribution offers `pooler: meen`; installed: mean. Did you mean `mean`?",
    "spec.yaml:19: sampler.size: there is no such field; there are: batch_size, kind.",
    "spec.yaml:21: training.learning_rates.texts: there is no such field; did you mean `text`?",
]


def test_every_error_of_a_yaml_file_is_reported_at_once_with_its_line(faults: Faults) -> None:
    first, *others = faults(YAML_FAULTS)
    assert first == "spec.yaml: audio: is required, since `fusion: join` reads audio; installed: waves."
    assert others == YAML_SENTENCES


TOML_FAULTS = """\
labels = ["angry", "happy"]
pooler = "meen"
text = "words"
audio = "waves"
sampler = "ordered"

[fusion]
kind = "join"
num_heads = 0

[[data.train]]
path = "a.jsonl"

[[data.train]]
path = "b.jsonl"
rooot = "audio"
label_map = {calm = "sad"}

[data.valid]
corpus = {kind = "toy", part = "third"}

[training]
learning_rates.texts = 1
name = 2024-01-01
"""


def test_every_error_of_a_toml_file_is_reported_at_once_with_its_line(faults: Faults) -> None:
    assert faults(spec=TOML_FAULTS) == [
        (
            "spec.toml:2: pooler.kind: no installed distribution offers `pooler: meen`; installed: mean. "
            "Did you mean `mean`?"
        ),
        "spec.toml:9: fusion.num_heads: must be at least 1, but is 0 instead.",
        "spec.toml:16: data.train.1.rooot: there is no such field; did you mean `root`?",
        "spec.toml:17: data.train.1.label_map.calm: must be one of angry, happy or null, but is `sad` instead.",
        'spec.toml:20: data.valid.corpus.part: must be `first` or `second`, but is "third" instead.',
        "spec.toml:23: training.learning_rates.texts: there is no such field; did you mean `text`?",
        (
            "spec.toml:24: training.name: there is no such field; there are: auto_batch, batches_per_step, "
            "checkpoint_every, deterministic, device, dropout, epochs, gradient_clip, keep_checkpoints, layer_decay, "
            "learning_rate, learning_rates, micro_batch, monitor, patience, precision, schedule, sharding, warmup, "
            "weight_decay."
        ),
    ]


def test_an_empty_file_lacks_every_required_field(faults: Faults) -> None:
    assert faults("# nothing yet\n") == [
        "spec.yaml: labels: is required.",
        "spec.yaml: data: is required.",
        "spec.yaml: fusion: is required; installed: join, solo.",
        "spec.yaml: pooler: is required; installed: mean.",
        "spec.yaml: sampler: is required; installed: ordered.",
    ]


def test_each_error_names_the_file_that_caused_it(faults: Faults, valid: str) -> None:
    second = "seed: -1\nfusion: {num_heads: 0}\n"
    third = "threads: 0\naudio: {kind: wave}\ntraining: {epochs: 3, warmup: 2}\n"
    assert faults(valid, second, third, overrides=("training.epochs=0", "label=x")) == [
        "second.yaml:1: seed: must be at least 0, but is -1 instead.",
        "second.yaml:2: fusion.num_heads: must be at least 1, but is 0 instead.",
        "third.yaml:1: threads: must be at least 1, but is 0 instead.",
        (
            "third.yaml:2: audio.kind: no installed distribution offers `audio: wave`; installed: waves. "
            "Did you mean `waves`?"
        ),
        "third.yaml:3: training.warmup: must be less than 1, but is 2 instead.",
        "--set training.epochs=0: training.epochs: must be at least 1, but is 0 instead.",
        "--set label=x: label: there is no such field; did you mean `labels`?",
    ]


def test_what_no_file_names_is_missing_from_all(faults: Faults) -> None:
    text = "labels: [a, b]\ndata: {train: a, valid: b}\ntext: words\naudio: waves\nfusion: join\n"
    assert faults(text, "pooler: mean\n") == ["spec.yaml, second.yaml: sampler: is required; installed: ordered."]


def test_an_entry_replaced_whole_leaves_no_place_behind(faults: Faults, valid: str) -> None:
    text = valid.replace("fusion: {kind: join, dim: 16}", "fusion:\n  kind: join\n  width: 3")
    assert faults(text, "fusion: solo\n", "fusion: {width: 0}\n")[0].startswith("third.yaml:1: fusion.width: ")
    (said,) = faults(text, "fusion: jion\n")
    assert said.startswith("second.yaml:1: fusion.kind: ")
    (said,) = faults(valid, overrides=("labels=[a, 5]",))
    assert said.startswith("--set labels=[a, 5]: labels.1: ")
    (said,) = faults(valid, overrides=("data.test.0.root=x",))
    assert said.startswith("--set data.test.0.root=x: data.test.0: must name a `path` or a `corpus`")
