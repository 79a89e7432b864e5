"""What a user reads when a spec is wrong: the place, the field, the rule, what was found, and the remedy."""

from collections.abc import Callable

import pytest

Faults = Callable[..., list[str]]

JARGON = (
    "Input should",
    "Value error",
    "function-",
    "constrained",
    "literal[",
    "pydantic",
    "valid dictionary",
    "NoneType",
)


def one(faults: Faults, valid: str, override: str) -> str:
    """The only problem that an override causes, without the place."""
    (said,) = faults(valid, overrides=(override,))
    assert said.startswith(f"--set {override}: ")
    assert not any(word in said for word in JARGON)
    return said.removeprefix(f"--set {override}: ")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        # Unknown fields.
        ("lables=[a]", "lables: there is no such field; did you mean `labels`?"),
        ("training.epoch=5", "training.epoch: there is no such field; did you mean `epochs`?"),
        ("fusion.num_head=8", "fusion.num_head: there is no such field; did you mean `num_heads`?"),
        ("text.adapter.rnk=8", "text.adapter.rnk: there is no such field; did you mean `rank`?"),
        ("data.trian=a", "data.trian: there is no such field; did you mean `train`?"),
        ("data.train.rot=a", "data.train.rot: there is no such field; did you mean `root`?"),
        ("data.test=[{path: a, rot: b}]", "data.test.0.rot: there is no such field; did you mean `root`?"),
        (
            "data.test={corpus: {kind: toy, prt: first}}",
            "data.test.corpus.prt: there is no such field; did you mean `part`?",
        ),
        (
            "training.learning_rates={texts: 1}",
            "training.learning_rates.texts: there is no such field; did you mean `text`?",
        ),
        ("loader.q=1", "loader.q: there is no such field; there are: cache_mib, start_method, workers."),
        # Kinds.
        (
            "fusion=jion",
            "fusion.kind: no installed distribution offers `fusion: jion`; installed: join, solo. Did you mean `join`?",
        ),
        ("audio=whisper", "audio.kind: no installed distribution offers `audio: whisper`; installed: waves."),
        (
            "fusion=weave",
            (
                "fusion.kind: no installed distribution offers `fusion: weave`; installed: join, solo. "
                "Run: pip install vietmer-fusion-weave"
            ),
        ),
        (
            "text=leters",
            (
                "text.kind: no installed distribution offers `text: leters`; installed: words. "
                "Did you mean `letters`? Run: pip install a-strangers-name"
            ),
        ),
        (
            "data.test={corpus: toi}",
            (
                "data.test.corpus.kind: no installed distribution offers `corpus: toi`; installed: other_toy, toy. "
                "Did you mean `toy`?"
            ),
        ),
        ("fusion=[join]", 'fusion: must be a kind, or a mapping with a `kind`, but is ["join"] instead.'),
        ("fusion=5", "fusion: must be a kind, or a mapping with a `kind`, but is 5 instead."),
        ("fusion=null", "fusion: is required; installed: join, solo."),
        ("pooler.kind=", "pooler.kind: is required; installed: mean."),
        # Types and ranges.
        ("fusion.num_heads=0", "fusion.num_heads: must be at least 1, but is 0 instead."),
        ("fusion.num_heads=eight", 'fusion.num_heads: must be a whole number, but is "eight" instead.'),
        ("fusion.num_heads=8.5", "fusion.num_heads: must be a whole number, but is 8.5 instead."),
        ("fusion.bias=maybe", 'fusion.bias: must be true or false, but is "maybe" instead.'),
        ("text.adapter.rank=0", "text.adapter.rank: must be at least 1, but is 0 instead."),
        ("head.hiden_dims=5", "head.hiden_dims: there is no such field; did you mean `hidden_dims`?"),
        ("head.hidden_dims=5", "head.hidden_dims: must be a list, but is 5 instead."),
        ("training.patience=0", "training.patience: must be at least 1, but is 0 instead."),
        ("training.epochs=null", "training.epochs: must be a whole number, but is null instead."),
        ("training.epochs=true", "training.epochs: must be a number, but is true instead."),
        ("training.epochs.x=1", 'training.epochs: must be a whole number, but is {"x": 1} instead.'),
        ("training.warmup=1", "training.warmup: must be less than 1, but is 1 instead."),
        ("training.warmup=.nan", "training.warmup: must be a finite number, but is NaN instead."),
        ("training.learning_rate=.inf", "training.learning_rate: must be a finite number, but is Infinity instead."),
        ("training.learning_rate=0", "training.learning_rate: must be more than 0, but is 0 instead."),
        ("training.learning_rates.text=x", 'training.learning_rates.text: must be a number, but is "x" instead.'),
        (
            "training.schedule=cos",
            'training.schedule: must be `cosine`, `linear` or `constant`, but is "cos" instead. Did you mean `cosine`?',
        ),
        ("training=5", "training: must be a mapping of fields, but is 5 instead."),
        ("loader=", "loader: must be a mapping of fields, but is null instead. Give it fields, or remove its name."),
        ("seed=-1", "seed: must be at least 0, but is -1 instead."),
        # Unions make one sentence.
        ("data.channel=stereo", 'data.channel: must be `mono` or `mix`, or a whole number, but is "stereo" instead.'),
        ("data.channel=-1", "data.channel: must be `mono` or `mix`, or at least 0, but is -1 instead."),
        (
            "text.layers=lats",
            (
                'text.layers: must be `last` or `all`, or a whole number, or a list, but is "lats" instead. '
                "Did you mean `last`?"
            ),
        ),
        # Labels and names.
        ("labels=angry", 'labels: must be a list, but is "angry" instead.'),
        ("labels=[a]", "labels: must have at least 2 entries, but has 1 entry instead."),
        ("labels=[a, b, a]", "labels.2: `a` is a label already; labels must be distinct."),
        ("labels=[a, ' ']", "labels.1: must not be empty."),
        ('labels=[a, "b\\nc"]', "labels.1: must be one line of text, but holds the control character U+000A."),
        ("labels=[a, null]", "labels.1: must be text, but is null instead."),
        ("labels=[a, 5]", "labels.1: must be text, but is 5 instead. Put it in quotes that reach the program."),
        ("label_field=''", "label_field: must not be empty."),
        (
            "name=5",
            "name: must be text, but is 5 instead. Put it in quotes that reach the program: `--set 'name=\"5\"'`.",
        ),
        (
            "name=a b",
            (
                "name: must begin with a letter or a digit and hold only letters without accents, digits, `.`, `_` and "
                "`-`, but is `a b` instead."
            ),
        ),
        # Splits.
        ("data=5", "data: must be a mapping of fields, but is 5 instead."),
        (
            "data.train=5",
            "data.train: must be the path of a file, or a mapping with a `path` or a `corpus`, but is 5 instead.",
        ),
        (
            "data.train=",
            "data.train: must be the path of a file, or a mapping with a `path` or a `corpus`, but is null instead.",
        ),
        ("data.train=[]", "data.train: must have at least 1 entry, but has 0 entries instead."),
        ("data.test=[{path: 5}]", "data.test.0.path: must be a path, but is 5 instead."),
        ("data.test=[{path: ' '}]", "data.test.0.path: must not be empty."),
        (
            "data.test={root: x}",
            "data.test: must name a `path` or a `corpus`, exactly one of them, but names neither instead.",
        ),
        (
            "data.test={path: x, corpus: toy}",
            "data.test: must name a `path` or a `corpus`, exactly one of them, but names both instead.",
        ),
        (
            "data.test={path: a, label_map: [b]}",
            'data.test.label_map: must be a mapping of fields, but is ["b"] instead.',
        ),
        (
            "data.test=[{path: a, label_map: {calm: sad}}]",
            "data.test.0.label_map.calm: must be one of angry, happy or null, but is `sad` instead.",
        ),
        (
            "data.test={path: a, label_map: {1: angry}}",
            "data.test.label_map.1: its name must be text, but is 1 instead. Put it in quotes that reach the program.",
        ),
        # Trackers.
        (
            "trackers=bord",
            (
                "trackers.kind: no installed distribution offers `tracker: bord`; installed: board, ledger. "
                "Did you mean `board`?"
            ),
        ),
        (
            "trackers=[board, diary]",
            (
                "trackers.1.kind: no installed distribution offers `tracker: diary`; installed: board, ledger. "
                "Run: pip install vietmer-tracker-diary"
            ),
        ),
        ("trackers=5", "trackers: must be a kind, or a mapping with a `kind`, but is 5 instead."),
        ("trackers=[ledger, {every: 2}]", "trackers.1.kind: is required; installed: board, ledger."),
        ("trackers=[ledger, null]", "trackers.1: is required; installed: board, ledger."),
        (
            "trackers=[board, ledger, {kind: board, every: 2}]",
            "trackers.2.kind: `board` is named already, as entry 0; each kind may stand once.",
        ),
        ("trackers={kind: board, evry: 2}", "trackers.evry: there is no such field; did you mean `every`?"),
        ("trackers=[ledger, {kind: board, every: 0}]", "trackers.1.every: must be at least 1, but is 0 instead."),
        ("tracker=board", "tracker: there is no such field; did you mean `trackers`?"),
        # Encoders.
        ("text=null", "text: is required, since `fusion: join` reads text; installed: words."),
    ],
)
def test_one_fault_makes_one_sentence_at_its_field(faults: Faults, valid: str, override: str, sentence: str) -> None:
    assert one(faults, valid, override) == sentence
