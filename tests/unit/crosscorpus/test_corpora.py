import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vietmer_core.crosscorpus.corpora import read_corpora
from vietmer_core.crosscorpus.running import audit_of
from vietmer_core.crosscorpus.specs import labels_to_train
from vietmer_core.errors import AssemblyError, DataError
from vietmer_core.label_maps.named import LabelMapError, NamedLabelMap

SPACE = ("angry", "fear", "sad")
MAP = NamedLabelMap(
    name="three",
    version=1,
    labels=SPACE,
    corpora={"first": {"mad": "angry", "down": "sad", "calm": None}, "second": {"anger": "angry", "fear": "fear"}},
)


def write_split(folder: Path, split: str, labels: list[str]) -> None:
    rows = [
        {
            "utterance_id": f"{split}{index}",
            "speaker_id": "lan",
            "wav_path": None,
            "start": None,
            "end": None,
            "transcript": "tôi vui",
            "emotion": label,
        }
        for index, label in enumerate(labels)
    ]
    folder.mkdir(exist_ok=True)
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_corpus_is_known_by_its_name_or_by_the_one_given(tmp_path: Path) -> None:
    corpora = read_corpora([f"first={tmp_path}", f"calls:second={tmp_path}"], label_map=MAP)
    assert [(corpus.name, corpus.mapped_as) for corpus in corpora] == [("first", "first"), ("calls", "second")]
    assert corpora[0].map_to(("sad",)) == {"mad": None, "down": "sad", "calm": None}


@pytest.mark.parametrize(("shared", "verdict"), [("train", "leak"), ("valid", "leak"), ("", "clean")])
def test_what_made_a_model_is_audited_beside_what_it_is_tested_on(tmp_path: Path, shared: str, verdict: str) -> None:
    corpora = read_corpora([f"{name}={tmp_path}" for name in ("first", "second")], label_map=MAP)
    for split in ("train", "valid", "test"):
        write_split(tmp_path, split, ["mad", "down"] if split != "test" else ["anger", "fear"])
        path = tmp_path / f"{split}.jsonl"
        speaker = "thu" if split in ("test", shared) else "lan"  # what train and valid share does not count
        text = path.read_text(encoding="utf-8").replace("lan", speaker)
        path.write_text(text.replace("t\\u00f4i vui", f"nói {split}"), encoding="utf-8")
    assert audit_of(*corpora, label_field="emotion", channel="mono") == verdict


def test_the_audit_hears_the_channel_of_the_spec(tmp_path: Path) -> None:
    corpora = read_corpora([f"{name}={tmp_path}" for name in ("first", "second")], label_map=MAP)
    for split in ("train", "valid", "test"):
        write_split(tmp_path, split, ["mad", "down"] if split != "test" else ["anger", "fear"])
        path = tmp_path / f"{split}.jsonl"
        sound = np.random.default_rng(len(split)).uniform(-0.5, 0.5, (16_000, 2))
        if split != "valid":
            sound[:, 1] = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)  # what train and test share
        soundfile.write(tmp_path / f"{split}.wav", sound, 16_000)
        text = path.read_text(encoding="utf-8").replace("lan", split).replace("t\\u00f4i vui", f"nói {split}")
        path.write_text(text.replace('"wav_path": null', f'"wav_path": "{split}.wav"'), encoding="utf-8")
    verdicts = [audit_of(*corpora, label_field="emotion", channel=channel) for channel in (0, 1)]
    assert verdicts == ["clean", "leak"]


def test_the_labels_of_a_split_are_those_of_the_space_in_its_order(tmp_path: Path) -> None:
    write_split(tmp_path, "train", ["down", "mad", "calm"])
    corpus, _ = read_corpora([f"first={tmp_path}", f"second={tmp_path}"], label_map=MAP)
    assert corpus.present("train", space=SPACE, label_field="emotion") == ("angry", "sad")
    assert labels_to_train(corpus, space=SPACE, label_field="emotion") == ("angry", "sad")
    write_split(tmp_path, "train", ["down", "calm"])
    with pytest.raises(DataError, match="only sad occurs, and a model needs two"):
        labels_to_train(corpus, space=SPACE, label_field="emotion")
    with pytest.raises(DataError, match="there is no such manifest"):
        corpus.manifest("test")


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (["first"], AssemblyError, "must be given as NAME=FOLDER"),
        (["a b=x"], AssemblyError, "must be given as NAME=FOLDER"),
        (["first=."], AssemblyError, "at least two corpora"),
        (["first=.", "first=."], AssemblyError, "two corpora are named `first`"),
        (["first=.", "second=nowhere"], AssemblyError, "nowhere is no folder"),
        (["first=.", "secnd=."], LabelMapError, "has no corpus `secnd`"),
    ],
)
def test_mistakes_are_one_sentence(given: list[str], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        read_corpora(given, label_map=MAP)
