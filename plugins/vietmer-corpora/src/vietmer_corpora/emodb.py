"""EmoDB (Berlin): `wav/03a01Fa.wav`, speaker, sentence, emotion and version in the name. Torch-free.

Burkhardt, Paeschke, Rolfes, Sendlmeier and Weiss, A database of German emotional speech, Interspeech 2005. The letters
are those of the German words: Wut, Langeweile, Ekel, Angst, Freude, Trauer. Ages and genders of the ten speakers and
the ten sentences are those of the corpus's page (emodb.bilderbar.info).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_corpora.files import named_audio, require_folder

EMOTIONS: Final[Mapping[str, str]] = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
SPEAKERS: Final[Mapping[str, tuple[str, int]]] = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
"""Gender and age of each speaker."""
SENTENCES: Final[Mapping[str, str]] = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_NAME: Final = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])")


@final
@attrs.frozen(kw_only=True)
class EmodbImporter:
    """`importer: emodb`."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each clip.

        Raises:
            DataError: where no clip is found.
        """
        require_folder(source, "the one that holds `wav`")
        for file in named_audio(source, _NAME, example="wav/03a01Fa.wav"):
            match = _NAME.fullmatch(file.stem)
            if match is None or match["speaker"] not in SPEAKERS or match["sentence"] not in SENTENCES:
                remedy = "A name is speaker, sentence, emotion and version, such as `03a01Fa`."
                log.fault(file, 0, f"`{file.stem}` is no name of an EmoDB clip.", remedy=remedy)
                continue
            gender, age = SPEAKERS[match["speaker"]]
            yield ImportedRow(
                utterance_id=f"emodb_{file.stem}",
                speaker_id=f"emodb_{match['speaker']}",
                audio=file,
                transcript=SENTENCES[match["sentence"]],
                label=EMOTIONS[match["emotion"]],
                corpus="emodb",
                place=str(file),
                metadata={"gender": gender, "age": age, "sentence": match["sentence"], "version": match["version"]},
            )
