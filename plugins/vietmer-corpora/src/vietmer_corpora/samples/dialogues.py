"""Samples of corpora of dialogues. Torch-free."""

from pathlib import Path
from typing import Final

from vietmer_corpora.samples.files import tone_bytes, write

_EVALUATION: Final = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral;\t()
C-E4:\tFrustration;\t()
C-F1:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M000\texc\t[4.0000, 3.5000, 3.0000]
C-E2:\tExcited;\t()
C-E3:\tExcited; Happiness;\t()
C-E4:\tExcited;\t(amused)
C-M1:\tHappiness;\t()

[14.8872 - 18.0175]\tSes01F_impro01_F001\txxx\t[2.5000, 3.0000, 3.0000]
C-E2:\tAnger;\t()
C-E3:\tFrustration;\t()
C-E4:\tNeutral;\t()
"""
_TRANSCRIPTION: Final = """Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
M: [LAUGHTER]
Ses01F_impro01_M000 [010.0100-011.3925]: Yeah! That\x92s great.
Ses01F_impro01_F001 [014.8872-018.0175]: Is there a problem?
"""
_MELD: Final = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
_LINES: Final = {
    "train": '1,"also I was the point person, y\x92know?",Joey,neutral,neutral,0,0,8,21,"00:16:16,059","00:16:21,731"',
    "dev": '1,"Oh my God, he’s lost it. ""Totally"".",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"',
    "test": '1,Why do all you’re mugs have numbers?,Mark,surprise,positive,0,0,3,19,"0:14:38,127","0:14:40,378"',
}
_CLIPS: Final = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}


def write_iemocap(folder: Path) -> None:
    """IEMOCAP: one dialogue, its transcription in Windows-1252, and a file that macOS leaves."""
    session = folder / "IEMOCAP_full_release" / "Session1"
    write(session / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt", _EVALUATION)
    write(session / "dialog" / "EmoEvaluation" / "._Ses01F_impro01.txt", b"\x00\x05\x16\x07")
    transcription = _TRANSCRIPTION.replace("\x92", "’").encode("cp1252")
    write(session / "dialog" / "transcriptions" / "Ses01F_impro01.txt", transcription)
    for turn in ("F000", "M000", "F001"):
        name = f"Ses01F_impro01_{turn}.wav"
        write(session / "sentences" / "wav" / "Ses01F_impro01" / name, tone_bytes())


def write_meld(folder: Path) -> None:
    """MELD: the three tables and a clip of each."""
    for split, line in _LINES.items():
        write(folder / f"{split}_sent_emo.csv", f"{_MELD}{line}\n")
        write(folder / _CLIPS[split] / "dia0_utt0.wav", tone_bytes())
