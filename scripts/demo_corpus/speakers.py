"""The invented speakers: who speaks in which split, with what voice and accent."""

from typing import Final, Literal

import attrs

Split = Literal["train", "valid", "test"]
Gender = Literal["female", "male"]
Accent = Literal["northern", "central", "southern"]

SPLITS: Final[tuple[Split, ...]] = ("train", "valid", "test")


@attrs.frozen
class Speaker:
    """A voice of the rule-based synthesiser.

    Attributes:
        speaker_id: Name in the manifest.
        split: The only split in which the speaker appears.
        gender: Of the voice.
        accent: Dialect whose phoneme rules the synthesiser applies.
        pitch_hz: Lowest and highest pitch of level reading.
        tract_percent: Scale of the formants; a shorter vocal tract is above 100.
        roughness: Creak, 0 to 7.
        breath: Aspiration noise, 0 to 6.
        brightness: Level of the band above 2 kHz, 40 to 120.
        words_per_minute: Speed of level reading.
    """

    speaker_id: str
    split: Split
    gender: Gender
    accent: Accent
    pitch_hz: tuple[int, int]
    tract_percent: int
    roughness: int
    breath: int
    brightness: int
    words_per_minute: int


SPEAKERS: Final = (
    Speaker("demo_f01", "train", "female", "northern", (158, 228), 112, 0, 0, 80, 192),
    Speaker("demo_m01", "train", "male", "northern", (88, 132), 98, 2, 0, 70, 188),
    Speaker("demo_f02", "train", "female", "southern", (172, 246), 116, 1, 1, 75, 198),
    Speaker("demo_m02", "train", "male", "southern", (78, 116), 94, 3, 0, 80, 182),
    Speaker("demo_f03", "train", "female", "central", (148, 212), 110, 2, 0, 70, 186),
    Speaker("demo_m03", "train", "male", "central", (100, 150), 101, 1, 1, 85, 196),
    Speaker("demo_f04", "train", "female", "northern", (184, 262), 118, 0, 2, 85, 194),
    Speaker("demo_m04", "train", "male", "northern", (108, 160), 103, 0, 0, 90, 200),
    Speaker("demo_f05", "train", "female", "southern", (152, 220), 109, 3, 0, 65, 184),
    Speaker("demo_m05", "train", "male", "southern", (94, 140), 99, 2, 1, 75, 190),
    Speaker("demo_f06", "train", "female", "central", (166, 240), 114, 1, 0, 90, 200),
    Speaker("demo_m06", "train", "male", "central", (84, 126), 96, 4, 0, 70, 186),
    Speaker("demo_f07", "train", "female", "northern", (142, 204), 108, 2, 1, 75, 182),
    Speaker("demo_m07", "train", "male", "northern", (82, 122), 95, 1, 0, 80, 194),
    Speaker("demo_f08", "train", "female", "southern", (178, 254), 117, 0, 1, 80, 190),
    Speaker("demo_m08", "train", "male", "southern", (104, 156), 102, 0, 0, 85, 186),
    Speaker("demo_f09", "valid", "female", "northern", (164, 236), 113, 1, 0, 75, 188),
    Speaker("demo_m09", "valid", "male", "central", (92, 138), 98, 1, 0, 80, 192),
    Speaker("demo_f10", "valid", "female", "southern", (156, 224), 111, 1, 1, 85, 194),
    Speaker("demo_m10", "valid", "male", "southern", (86, 130), 97, 3, 0, 75, 188),
    Speaker("demo_f11", "test", "female", "northern", (170, 242), 115, 0, 1, 80, 190),
    Speaker("demo_m11", "test", "male", "northern", (96, 144), 100, 2, 0, 75, 186),
    Speaker("demo_f12", "test", "female", "central", (154, 222), 111, 1, 0, 80, 194),
    Speaker("demo_m12", "test", "male", "central", (80, 120), 95, 2, 1, 75, 188),
    Speaker("demo_f13", "test", "female", "southern", (162, 232), 112, 2, 0, 70, 186),
    Speaker("demo_m13", "test", "male", "southern", (102, 152), 101, 1, 0, 85, 196),
)
