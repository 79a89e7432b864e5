"""Make the demo corpus: `python scripts/demo_corpus/synthesise.py [--output FOLDER] [--seed N]`.

Needs espeakng-loader, soundfile, soxr, scipy and attrs. The same seed gives the same manifests; with the same
espeak-ng and libsndfile it gives the same recordings.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from calls import Call, plan_calls
from espeak import Synthesiser, install_voices
from manifest import Row, rows_of_call, write_manifest
from recordings import make_babble, speak, write_recording
from sentences import CONTENTS, Content, Form, Supply, address_of, content_of, draw_forms, spell_out
from speakers import SPLITS

SEED: Final = 20
PLUGIN: Final = Path(__file__).resolve().parents[2] / "plugins" / "vietmer-corpus-demo"
DATA: Final = PLUGIN / "src" / "vietmer_corpus_demo" / "data"


def draw_forms_by_content(calls: list[Call], *, rng: np.random.Generator) -> dict[Content, Iterator[Form]]:
    """For each content, as many sentence forms as it has turns, from the same spread."""
    contents = [content_of(turn.emotion, turn.cue) for call in calls for turn in call.turns]
    return {content: iter(draw_forms(contents.count(content), rng=rng)) for content in CONTENTS}


def write_texts(calls: list[Call], *, rng: np.random.Generator) -> list[list[str]]:
    """The transcripts of every call; no wording is used twice."""
    supply = Supply(rng=rng)
    texts: list[list[str]] = []
    for split in SPLITS:
        chosen = [call for call in calls if call.speaker.split == split]
        forms = draw_forms_by_content(chosen, rng=rng)
        for call in chosen:
            address = address_of(call.speaker.gender, rng=rng)
            contents = [content_of(turn.emotion, turn.cue) for turn in call.turns]
            wordings = [supply.take(content, form=next(forms[content])) for content in contents]
            texts.append([spell_out(wording, address=address, accent=call.speaker.accent) for wording in wordings])
    return texts


def synthesise(output: Path, *, seed: int) -> int:
    """Write the manifests and recordings under `output`; returns the number of utterances."""
    audio = output / "audio"
    audio.mkdir(parents=True, exist_ok=True)
    for stale in audio.glob("*.opus"):
        stale.unlink()
    calls = plan_calls(rng=np.random.default_rng([seed, 0]))
    texts = write_texts(calls, rng=np.random.default_rng([seed, 1]))
    rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
    with tempfile.TemporaryDirectory() as folder:
        synthesiser = Synthesiser.open(install_voices(Path(folder)))
        babble = make_babble(synthesiser)
        for number, (call, said) in enumerate(zip(calls, texts, strict=True)):
            rng = np.random.default_rng([seed, 2, number])
            spoken = speak(call, texts=said, synthesiser=synthesiser, babble=babble, rng=rng)
            write_recording(audio / f"{call.call_id}.opus", spoken=spoken, serial=number + 1)
            rows[call.speaker.split] += rows_of_call(call, texts=said, spoken=spoken)
    for split, of_split in rows.items():
        write_manifest(output / f"{split}.jsonl", rows=of_split)
    return sum(len(of_split) for of_split in rows.values())


def main() -> None:
    """Read the command line and make the corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DATA, help="folder of the manifests; recordings go to audio/")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of every random choice")
    arguments = parser.parse_args()
    count = synthesise(arguments.output, seed=arguments.seed)
    print(f"{count} utterances in {arguments.output}")


if __name__ == "__main__":
    main()
