"""Samples of corpora of single clips. Torch-free."""

from pathlib import Path
from typing import Final

from vietmer_corpora.samples.files import tone_bytes, write

_VISEC: Final = (
    "speaker_id,path,duration,accent,emotion,emotion_id,gender\n"
    "0,wav/00000.wav,0.2,south,happy,0,female\n"
    "1,wav/00001.wav,0.2,north,neutral,1,male\n"
    "12,wav/00002.wav,0.2,mid,angry,3,female\n"
)


def write_visec(folder: Path) -> None:
    """ViSEC: `data.csv` and `wav/`."""
    write(folder / "data.csv", _VISEC)
    for number in range(3):
        write(folder / "wav" / f"{number:05d}.wav", tone_bytes(hertz=200 + 20 * number))


def write_vnemos(folder: Path) -> None:
    """VNEMOS: a folder for each emotion, one clip with its transcript beside it."""
    names = {
        "Angry": "Copy of Angry_scvmc17-00.25.00.160-00.25.07.845-seg2",
        "Fear": "fear_vndc1-00.20.10.506-00.20.16.834-seg6",
        "Happiness": "AnyConv.com__happy_npx1-00.25.41.440-00.25.43.921-seg4",
        "Neutral": "neutral_vndc3-00.01.10.506-00.01.16.834-seg1",
        "Sadness": "sad_scvmc2-00.09.41.333-00.09.43.733-seg1",
    }
    for number, (emotion, name) in enumerate(names.items()):
        write(folder / emotion / f"{name}.wav", tone_bytes(hertz=200 + 20 * number, sampling_rate=44_100, channels=2))
    write((folder / "Angry" / f"{names['Angry']}.txt"), "Uống là khó chịu.\n")


def write_ravdess(folder: Path) -> None:
    """RAVDESS: two actors, speech and a song."""
    for name in ("03-01-01-01-01-01-01", "03-01-05-02-02-02-01", "03-02-03-01-01-01-01", "03-01-08-01-02-01-02"):
        actor = name.rsplit("-", 1)[1]
        write(folder / f"Actor_{actor}" / f"{name}.wav", tone_bytes(sampling_rate=48_000))


def write_emodb(folder: Path) -> None:
    """EmoDB: clips in `wav`."""
    for name in ("03a01Fa", "08b10Wa", "16a07Lb", "15b09Nd"):
        write(folder / "wav" / f"{name}.wav", tone_bytes())


def write_audiofolder(folder: Path) -> None:
    """An AudioFolder of two splits."""
    for split, label in (("train", "angry"), ("test", "neutral")):
        line = f'{{"file_name": "clip.wav", "transcription": "vâng ạ", "label": "{label}", "speaker": 3}}\n'
        write(folder / split / "metadata.jsonl", line)
        write(folder / split / "clip.wav", tone_bytes())
