"""What every turn says: wordings dealt out of the supply, and those that repeat another split exchanged.

What repeats is judged by the rule of `vietmer data audit`, and in any order of the words besides. Wordings are
exchanged after all are dealt, so that every other turn keeps its own.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby

import attrs
import numpy as np
from calls import Call
from delivery import Emotion
from sentences import CONTENTS, Content, Form, Supply, Wording, address_of, content_of, draw_forms, spell_out
from speakers import SPLITS, Accent, Split

from vietmer_core.audit.resembling import MIN_RESEMBLANCE
from vietmer_core.audit.wording import normalised, trigrams


@attrs.frozen(kw_only=True)
class Said:
    """The words of one turn, and what they are for."""

    call_id: str
    split: Split
    accent: Accent
    emotion: Emotion
    content: Content
    address: dict[str, str]
    wording: Wording

    @cached_property
    def text(self) -> str:
        """The transcript."""
        return spell_out(self.wording, address=self.address, accent=self.accent)

    @cached_property
    def words(self) -> frozenset[tuple[str, int]]:
        """How often each word stands in the wording, pronouns open, so that neither order nor address counts."""
        return frozenset(Counter(re.findall(r"[\w{}]+", self.wording.text.casefold())).items())

    @cached_property
    def grams(self) -> frozenset[int]:
        """The letter trigrams of the transcript."""
        return frozenset(trigrams(normalised(self.text)).tolist())

    def repeats(self, other: "Said") -> bool:
        """Whether both hold the same words, or carry one label and resemble one another."""
        if self.words == other.words:
            return True
        if self.emotion != other.emotion:
            return False
        shared = len(self.grams & other.grams)
        return shared >= MIN_RESEMBLANCE * (len(self.grams) + len(other.grams) - shared)


def draw_forms_by_content(calls: list[Call], *, rng: np.random.Generator) -> dict[Content, Iterator[Form]]:
    """For each content, as many sentence forms as it has turns, from the same spread."""
    contents = [content_of(turn.emotion, turn.cue) for call in calls for turn in call.turns]
    return {content: iter(draw_forms(contents.count(content), rng=rng)) for content in CONTENTS}


def deal(calls: list[Call], *, supply: Supply, rng: np.random.Generator) -> list[Said]:
    """The words of every turn, in the order of the calls; no wording is used twice."""
    said: list[Said] = []
    for split in SPLITS:
        chosen = [call for call in calls if call.speaker.split == split]
        forms = draw_forms_by_content(chosen, rng=rng)
        for call in chosen:
            address = address_of(call.speaker.gender, rng=rng)
            for turn in call.turns:
                content = content_of(turn.emotion, turn.cue)
                said.append(
                    Said(
                        call_id=call.call_id,
                        split=split,
                        accent=call.speaker.accent,
                        emotion=turn.emotion,
                        content=content,
                        address=address,
                        wording=supply.take(content, form=next(forms[content])),
                    )
                )
    return said


def keep_splits_apart(said: list[Said], *, supply: Supply) -> list[Said]:
    """The same turns, where one that repeats a turn of an earlier split says something that no other turn says."""
    kept = list(said)
    for place, turn in enumerate(said):
        if any(turn.repeats(earlier) for earlier in kept[:place] if earlier.split != turn.split):
            others = kept[:place] + kept[place + 1 :]
            kept[place] = _exchanged(turn, others=others, supply=supply)
    return kept


def _exchanged(turn: Said, *, others: list[Said], supply: Supply) -> Said:
    def is_new(wording: Wording) -> bool:
        candidate = attrs.evolve(turn, wording=wording)
        return not any(candidate.repeats(other) for other in others)

    return attrs.evolve(turn, wording=supply.exchange(turn.wording, content=turn.content, is_wanted=is_new))


def write_texts(calls: list[Call], *, rng: np.random.Generator) -> tuple[list[list[str]], list[list[str]]]:
    """The transcripts of every call, as dealt and with the splits kept apart; no wording is used twice."""
    supply = Supply(rng=rng)
    dealt = deal(calls, supply=supply, rng=rng)
    return _by_call(dealt), _by_call(keep_splits_apart(dealt, supply=supply))


def _by_call(said: list[Said]) -> list[list[str]]:
    return [[turn.text for turn in turns] for _, turns in groupby(said, key=lambda turn: turn.call_id)]
