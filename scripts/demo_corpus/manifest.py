"""The rows of the manifest."""

import json
from pathlib import Path

from acoustics import SAMPLING_RATE
from calls import Call
from recordings import Spoken

Row = dict[str, str | int | float | bool]


def rows_of_call(call: Call, *, texts: list[str], spoken: Spoken) -> list[Row]:
    """One row per turn; `start` and `end` are seconds in the recording."""
    return [
        {
            "utterance_id": f"{call.call_id}_{turn.turn_index:02d}",
            "speaker_id": call.speaker.speaker_id,
            "wav_path": f"audio/{call.call_id}.opus",
            "start": start / SAMPLING_RATE,
            "end": end / SAMPLING_RATE,
            "transcript": text,
            "emotion": turn.emotion,
            "recording_id": call.call_id,
            "corpus": "vietmer-demo",
            "gender": call.speaker.gender,
            "accent": call.speaker.accent,
            "call_id": call.call_id,
            "turn_index": turn.turn_index,
            "role": "customer",
            "licence": "CC0-1.0",
            "cue": turn.cue,
            "band": call.band,
            "noise": call.noise,
            "snr_db": call.snr_db,
            "synthetic": True,
        }
        for turn, text, (start, end) in zip(call.turns, texts, spoken.spans, strict=True)
    ]


def write_manifest(path: Path, *, rows: list[Row]) -> None:
    """JSON lines, UTF-8, accents written as they are."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
