"""Make the demo corpus: `python scripts/demo_corpus/synthesise.py [--output FOLDER] [--seed N]`.

Needs vietmer-core, espeakng-loader and scipy. The same seed gives the same manifests; with the same espeak-ng and
libsndfile it gives the same recordings.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from calls import plan_calls
from espeak import Synthesiser, install_voices
from manifest import Row, rows_of_call, write_manifest
from recordings import make_babble, speak, write_recording
from speakers import SPLITS
from texts import write_texts

SEED: Final = 20
PLUGIN: Final = Path(__file__).resolve().parents[2] / "plugins" / "vietmer-corpus-demo"
DATA: Final = PLUGIN / "src" / "vietmer_corpus_demo" / "data"


def synthesise(output: Path, *, seed: int) -> int:
    """Write the manifests and recordings under `output`; returns the number of utterances.

    The synthesiser's state runs on from turn to turn, so a changed word would change every later recording. Each call
    is therefore spoken as dealt, and those with exchanged wordings are spoken again after the last.
    """
    audio = output / "audio"
    audio.mkdir(parents=True, exist_ok=True)
    for stale in audio.glob("*.opus"):
        stale.unlink()
    calls = plan_calls(rng=np.random.default_rng([seed, 0]))
    dealt, kept = write_texts(calls, rng=np.random.default_rng([seed, 1]))
    again = [(number, said) for number, said in enumerate(kept) if said != dealt[number]]
    rows: dict[int, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        synthesiser = Synthesiser.open(install_voices(Path(folder)))
        babble = make_babble(synthesiser)
        for number, said in [*enumerate(dealt), *again]:
            call, rng = calls[number], np.random.default_rng([seed, 2, number])
            spoken = speak(call, texts=said, synthesiser=synthesiser, babble=babble, rng=rng)
            write_recording(audio / f"{call.call_id}.opus", spoken=spoken, serial=number + 1)
            rows[number] = rows_of_call(call, texts=said, spoken=spoken)
    for split in SPLITS:
        of_split = [number for number, call in enumerate(calls) if call.speaker.split == split]
        write_manifest(output / f"{split}.jsonl", rows=[row for number in of_split for row in rows[number]])
    return sum(map(len, rows.values()))


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
