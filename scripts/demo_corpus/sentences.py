"""From frames to a supply of sentences, each handed out once.

Sentences are kept by form (number of syllables, comma or none) and every kind of content is asked for the same
forms, so that neither length nor pauses tell what is meant.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Final, final

import attrs
import numpy as np
from delivery import Cue, Emotion
from frames import CORES, FACT_OF_FEELING, FEELING_ALONE, FEELING_FIRST, FEELING_LAST, OPENERS, TAILS
from slots import DIALECT, PRONOUNS, SLOTS
from speakers import Accent, Gender

Content = Emotion
"""What the words say; `neutral` for level words."""

Form = tuple[int, bool]
CONTENTS: Final[tuple[Content, ...]] = ("neutral", "angry", "happy", "sad")
SYLLABLES: Final = range(9, 16)
WITHOUT_COMMA: Final = 0.25
FILLS_WITHOUT_COMMA: Final = 400
FILLS_WITH_COMMA: Final[dict[Content, int]] = {"neutral": 8, "angry": 240, "happy": 240, "sad": 240}
SLOT: Final = re.compile(r"\{(\w+)\}")


@attrs.frozen
class Wording:
    """A sentence whose pronouns and dialect words are still open, and the frame that it came from."""

    text: str
    frame: str

    @property
    def form(self) -> Form:
        return len(self.text.split()), "," in self.text


def _frames_of(content: Content) -> list[str]:
    if content == "neutral":
        led = [f"{opener}, {core}" for opener in OPENERS for core in CORES]
        trailed = [f"{core}, {tail}" for core in CORES for tail in TAILS]
        return [*CORES, *led, *trailed]
    fact = FACT_OF_FEELING[content]
    led = [f"{feeling}, {fact}" for feeling in FEELING_FIRST[content]]
    trailed = [f"{fact}, {feeling}" for feeling in FEELING_LAST[content]]
    return [*FEELING_ALONE[content], *led, *trailed]


def _fill(text: str, *, rng: np.random.Generator) -> str:
    """`text` with every slot of `SLOTS` filled, slots within slots too."""
    while names := [name for name in SLOT.findall(text) if name in SLOTS]:
        choices = SLOTS[names[0]]
        text = text.replace("{" + names[0] + "}", choices[rng.integers(len(choices))], 1)
    return text


@final
class Supply:
    """Every wording by content and form; handing one out removes it."""

    def __init__(self, *, rng: np.random.Generator) -> None:
        self._rng = rng
        self._wordings: dict[tuple[Content, Form], list[Wording]] = defaultdict(list)
        self._uses: dict[str, int] = defaultdict(int)
        for content in CONTENTS:
            self._stock(content)

    def _stock(self, content: Content) -> None:
        seen: set[str] = set()
        for frame in _frames_of(content):
            for _ in range(FILLS_WITH_COMMA[content] if "," in frame else FILLS_WITHOUT_COMMA):
                wording = Wording(_fill(frame, rng=self._rng), frame)
                if wording.text not in seen:
                    seen.add(wording.text)
                    self._wordings[content, wording.form].append(wording)

    def take(
        self, content: Content, *, form: Form, is_wanted: Callable[[Wording], bool] = lambda _wording: True
    ) -> Wording:
        """An unused wording of the given form, one that is wanted, from the frame used least so far."""
        shelf = self._wordings[content, form]
        wanted = [index for index, wording in enumerate(shelf) if is_wanted(wording)]
        if not wanted:
            raise LookupError(f"the frames must supply enough sentences of form {form} for `{content}`, but ran out.")
        fewest = min(self._uses[shelf[index].frame] for index in wanted)
        rarest = [index for index in wanted if self._uses[shelf[index].frame] == fewest]
        wording = shelf.pop(rarest[int(self._rng.integers(len(rarest)))])
        self._uses[wording.frame] += 1
        return wording

    def exchange(self, wording: Wording, *, content: Content, is_wanted: Callable[[Wording], bool]) -> Wording:
        """Another wording of the same form for one that was handed out and is never handed out again."""
        self._uses[wording.frame] -= 1
        return self.take(content, form=wording.form, is_wanted=is_wanted)


def draw_forms(count: int, *, rng: np.random.Generator) -> list[Form]:
    """`count` forms, every length equally often and a quarter without a comma."""
    comma = [index >= round(count * WITHOUT_COMMA) for index in range(count)]
    lengths = [SYLLABLES[index % len(SYLLABLES)] for index in range(count)]
    return list(zip(rng.permutation(lengths).tolist(), rng.permutation(comma).tolist(), strict=True))


def address_of(gender: Gender, *, rng: np.random.Generator) -> dict[str, str]:
    """How the caller names themselves and the agent throughout a call."""
    pairs = PRONOUNS[gender]
    me, you = pairs[int(rng.integers(len(pairs)))]
    return {"me": me, "you": you}


def spell_out(wording: Wording, *, address: dict[str, str], accent: Accent) -> str:
    """The transcript: pronouns and dialect words filled, first letter upper case, full stop."""
    text = wording.text.format(**address, **DIALECT[accent])
    return text[0].upper() + text[1:] + "."


def content_of(emotion: Emotion, cue: Cue) -> Content:
    """What the words of a turn say: its emotion, or nothing when only the voice carries it."""
    return "neutral" if cue == "voice" else emotion
