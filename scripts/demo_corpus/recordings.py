"""One recording per call: turns, pauses, background and band, written as Ogg Opus."""

from pathlib import Path
from typing import Final

import attrs
import numpy as np
import soundfile
from acoustics import LEVEL_DBFS, SAMPLING_RATE, Waveform, background, decibels, finish, through_telephone
from calls import Call
from delivery import LEVEL, colour_of, draw_delivery
from espeak import Synthesiser
from ogg_serial import fix_serial
from speakers import SPEAKERS

GRID: Final = SAMPLING_RATE // 1000
"""Turns start and end on whole milliseconds, so that the manifest's seconds are exact."""
SHORTEST_PAUSE_S: Final = 0.3
LONGEST_PAUSE_S: Final = 0.6
COMPRESSION_LEVEL: Final = 0.97
BABBLE_SENTENCES: Final = (
    "Dạ em xin nghe, anh chị cần hỗ trợ gì ạ.",
    "Anh vui lòng chờ máy trong giây lát để em kiểm tra.",
    "Em đã ghi nhận thông tin và sẽ chuyển đến bộ phận kỹ thuật.",
    "Chị đọc giúp em số hợp đồng ghi ở góc trên của hóa đơn.",
)


@attrs.frozen
class Spoken:
    """A recording before coding and where its turns lie, in samples."""

    waveform: Waveform
    spans: tuple[tuple[int, int], ...]


def make_babble(synthesiser: Synthesiser) -> Waveform:
    """Far voices at other desks, the same for every recording: training speakers, overlaid and turned round."""
    voices = [speaker for speaker in SPEAKERS if speaker.split == "train"][:6]
    layers = []
    for number, speaker in enumerate(voices):
        parts = []
        for text in BABBLE_SENTENCES:
            raw = synthesiser.deliver(text, speaker=speaker, emotion="neutral", delivery=LEVEL, seed=number)
            parts.append(finish(raw, delivery=LEVEL, sampling_rate=synthesiser.sampling_rate, phase=0.0))
        layers.append(np.roll(np.concatenate(parts)[::-1], 4000 * number))
    shortest = min(len(layer) for layer in layers)
    return np.asarray(np.sum([layer[:shortest] for layer in layers], axis=0))


def _say_turns(call: Call, *, texts: list[str], synthesiser: Synthesiser, rng: np.random.Generator) -> list[Waveform]:
    """Each turn in its delivery, on the millisecond grid."""
    turns = []
    for turn, text in zip(call.turns, texts, strict=True):
        colour = colour_of(turn.emotion, turn.cue)
        delivery = draw_delivery(colour, rng=rng)
        seed = int(rng.integers(2**31))
        raw = synthesiser.deliver(text, speaker=call.speaker, emotion=colour, delivery=delivery, seed=seed)
        phase = float(rng.uniform(0.0, 2 * np.pi))
        speech = finish(raw, delivery=delivery, sampling_rate=synthesiser.sampling_rate, phase=phase)
        turns.append(np.pad(speech, (0, -len(speech) % GRID)) * decibels(call.gain_db))
    return turns


def speak(
    call: Call, *, texts: list[str], synthesiser: Synthesiser, babble: Waveform, rng: np.random.Generator
) -> Spoken:
    """The recording of a call: background everywhere, the turns between pauses, then the band."""
    pieces: list[Waveform] = []
    spans = []
    position = 0
    for speech in _say_turns(call, texts=texts, synthesiser=synthesiser, rng=rng):
        pause = round(rng.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S) * 1000) * GRID
        pieces += [np.zeros(pause), speech]
        spans.append((position + pause, position + pause + len(speech)))
        position += pause + len(speech)
    pieces.append(np.zeros(round(SHORTEST_PAUSE_S * SAMPLING_RATE)))
    clean = np.concatenate(pieces)
    noise = background(call.noise, num_samples=len(clean), babble=babble, rng=rng)
    mixed = clean + noise * decibels(LEVEL_DBFS + call.gain_db - call.snr_db)
    waveform = through_telephone(mixed) if call.band == "telephone" else mixed
    return Spoken(np.clip(waveform, -0.98, 0.98), tuple(spans))


def write_recording(path: Path, *, spoken: Spoken, serial: int) -> None:
    """Ogg Opus, 16 kHz, mono, with the stream number `serial`."""
    soundfile.write(
        path, spoken.waveform, SAMPLING_RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION_LEVEL
    )
    fix_serial(path, serial=serial)
