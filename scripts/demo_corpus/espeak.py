"""The espeak-ng shared library through ctypes. Needed only to make the corpus; it is GPL and nothing depends on it."""

import ctypes
import shutil
from pathlib import Path
from typing import Any, Final, Self, final

import espeakng_loader
import numpy as np
from delivery import TYPICAL, Delivery, Emotion
from speakers import SPEAKERS, Accent, Speaker

VOICE_BY_ACCENT: Final[dict[Accent, str]] = {
    "northern": "vi",
    "central": "vi-vn-x-central",
    "southern": "vi-vn-x-south",
}
SYNCHRONOUS: Final = 2
UTF8: Final = 1
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
MIDDLE: Final = 50
PITCH_STEPS_PER_SEMITONE: Final = 6.0
HEADROOM_VOLUME: Final = 55
"""Below the default of 100, at which the synthesiser limits its own output."""

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def variant_of(speaker: Speaker, emotion: Emotion) -> str:
    """Name of the voice variant of a speaker in an emotional colour."""
    return f"{speaker.speaker_id}_{emotion}"


def variant_file(speaker: Speaker, *, name: str, formant_factor: float) -> str:
    """Text of a voice variant: pitch, formants and timbre of one speaker."""
    low, high = speaker.pitch_hz
    tract = speaker.tract_percent
    upper = round(tract * formant_factor)
    formants = [f"formant {index} {tract if index < 2 else upper} 100 100" for index in range(7)]
    tone = f"tone 150 230 900 110 2000 {speaker.brightness} 5200 {speaker.brightness} 8000 150"
    breath = "breath 0 " + " ".join([str(speaker.breath)] * 7)
    return "\n".join(
        [
            "language variant",
            f"name {name}",
            f"gender {speaker.gender}",
            f"pitch {low} {high}",
            "flutter 2",
            f"roughness {speaker.roughness}",
            *formants,
            tone,
            breath,
            "",
        ]
    )


def install_voices(folder: Path) -> Path:
    """The synthesiser's Vietnamese data and one variant per speaker and emotion, laid out under `folder`."""
    source = Path(espeakng_loader.get_data_path())
    target = folder / "espeak-ng-data"
    variants = target / "voices" / "!v"
    variants.mkdir(parents=True)
    for name in ("phondata", "phondata-manifest", "phonindex", "phontab", "intonations", "vi_dict", "en_dict"):
        shutil.copy(source / name, target / name)
    for family in ("aav", "gmw"):  # Vietnamese, and the English that the library loads as its default
        shutil.copytree(source / "lang" / family, target / "lang" / family)
    for speaker in SPEAKERS:
        for emotion, delivery in TYPICAL.items():
            name = variant_of(speaker, emotion)
            text = variant_file(speaker, name=name, formant_factor=delivery.formant_factor)
            (variants / name).write_text(text, encoding="utf-8")
    return target


@final
class Synthesiser:
    """Text to samples. One per process, since the library keeps its state in globals."""

    def __init__(self, library: Any, *, sampling_rate: int) -> None:
        self._library = library
        self.sampling_rate = sampling_rate
        self._chunks: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._callback = _Callback(self._collect)  # kept alive for as long as the library may call it
        library.espeak_SetSynthCallback(self._callback)

    @classmethod
    def open(cls, data_folder: Path) -> Self:
        """Load the library with the voices under `data_folder`."""
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        sampling_rate = int(library.espeak_Initialize(SYNCHRONOUS, 0, str(data_folder).encode(), 0))
        if sampling_rate <= 0:
            raise RuntimeError(f"espeak-ng must find its voices in `{data_folder}`, but did not.")
        return cls(library, sampling_rate=sampling_rate)

    def _collect(self, samples: Any, num_samples: int, _events: Any) -> int:
        if samples and num_samples > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
        return 0

    def say(self, text: str, *, voice: str, rate: int, pitch: int, pitch_range: int, seed: int) -> np.ndarray[Any, Any]:
        """Samples in -1 to 1 at `sampling_rate`."""
        self._chunks.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"`voice` must be known to espeak-ng, but is {voice!r} instead.")
        settings = {RATE: rate, VOLUME: HEADROOM_VOLUME, PITCH: pitch, RANGE: pitch_range}
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(seed)
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks).astype(np.float64) / 32768.0

    def deliver(
        self, text: str, *, speaker: Speaker, emotion: Emotion, delivery: Delivery, seed: int
    ) -> np.ndarray[Any, Any]:
        """`text` by `speaker`, with the pitch, range and speed of `delivery`."""
        pitch = MIDDLE + PITCH_STEPS_PER_SEMITONE * delivery.pitch_semitones
        return self.say(
            text,
            voice=f"{VOICE_BY_ACCENT[speaker.accent]}+{variant_of(speaker, emotion)}",
            rate=round(speaker.words_per_minute * delivery.speed),
            pitch=int(np.clip(round(pitch), 0, 99)),
            pitch_range=int(np.clip(round(MIDDLE * delivery.range_factor), 0, 99)),
            seed=seed,
        )
