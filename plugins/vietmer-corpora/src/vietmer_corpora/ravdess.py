"""RAVDESS: `Actor_01/03-01-06-01-02-01-12.wav`, all that is known of a clip in its name. Torch-free.

Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLOS ONE 13(5), 2018; Zenodo
1188976, whose page explains the seven numbers of a name: modality, vocal channel, emotion, intensity, statement,
repetition, actor (odd ones are male). Neutral has no strong intensity.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_corpora.files import named_audio, require_folder

EMOTIONS: Final[Mapping[str, str]] = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
VOCAL_CHANNELS: Final[Mapping[str, str]] = {"01": "speech", "02": "song"}
INTENSITIES: Final[Mapping[str, str]] = {"01": "normal", "02": "strong"}
STATEMENTS: Final[Mapping[str, str]] = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
_NAME: Final = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1[0-9]|2[0-4])")
NUM_ACTORS: Final = 24


@final
@attrs.frozen(kw_only=True)
class RavdessImporter:
    """`importer: ravdess`.

    Attributes:
        song: Whether sung clips are kept too.
    """

    song: bool = False

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each clip.

        Raises:
            DataError: where no clip is found.
        """
        require_folder(source, "that of the `Actor_01` … `Actor_24`")
        for file in named_audio(source, _NAME, example="Actor_01/03-01-06-01-02-01-12.wav"):
            match = _NAME.fullmatch(file.stem)
            if match is None:
                remedy = "A name is seven numbers, such as `03-01-06-01-02-01-12`."
                log.fault(file, 0, f"`{file.stem}` is no name of a RAVDESS clip.", remedy=remedy)
                continue
            _, channel, emotion, intensity, statement, repetition, actor = match.groups()
            if VOCAL_CHANNELS[channel] == "song" and not self.song:
                log.skip("sung clips (keep them with `--set song=true`)")
                continue
            yield ImportedRow(
                utterance_id=f"ravdess_{file.stem}",
                speaker_id=f"ravdess_{actor}",
                audio=file,
                transcript=STATEMENTS[statement],
                label=EMOTIONS[emotion],
                corpus="ravdess",
                place=str(file),
                metadata=_metadata(channel, intensity, repetition, actor),
            )


def _metadata(channel: str, intensity: str, repetition: str, actor: str) -> dict[str, Any]:
    return {
        "gender": "male" if int(actor) % 2 else "female",
        "intensity": INTENSITIES[intensity],
        "repetition": int(repetition),
        "vocal_channel": VOCAL_CHANNELS[channel],
    }
