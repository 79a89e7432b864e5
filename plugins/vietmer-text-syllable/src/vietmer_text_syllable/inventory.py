"""The closed sets of written Vietnamese: onsets, rhymes and tones. Torch-free.

A syllable of quốc ngữ is an onset, a rhyme and a tone (Đoàn Thiện Thuật, "Ngữ âm tiếng Việt", 1977). The sets hold the
written forms, one for each thing that writing tells apart: `c` stands for c and k, `g` for g and gh, `ng` for ng and
ngh, `iê` for iê and yê, since a rule of spelling chooses between them; `i` and `y` (kĩ, kỹ) stay two rhymes.

The order of these tuples gives the ids of trained models. A tuple is never reordered; a change is a new kind.
"""

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ONSETS: Final = ("", *_words("b c ch d đ g gi h kh l m n ng nh p ph qu r s t th tr v x"))
"""Onsets; the first is the syllable that begins with its vowel."""

RHYMES: Final = (
    *_words("a ac ach ai am an ang anh ao ap at au ay"),
    *_words("ăc ăm ăn ăng ăp ăt"),
    *_words("âc âm ân âng âp ât âu ây"),
    *_words("e ec em en eng eo ep et"),
    *_words("ê êch êm ên ênh êp êt êu"),
    *_words("i ia ich im in inh ip it iu"),
    *_words("iêc iêm iên iêng iêp iêt iêu"),
    *_words("o oc oi om on ong ooc oong op ot"),
    *_words("oa oac oach oai oam oan oang oanh oao oap oat oay"),
    *_words("oăc oăm oăn oăng oăt"),
    *_words("oe oem oen oeo oet"),
    *_words("ô ôc ôi ôm ôn ông ôp ôt"),
    *_words("ơ ơi ơm ơn ơp ơt"),
    *_words("u ua uc ui um un ung up ut"),
    *_words("uân uâng uât uây"),
    *_words("uê uêch uênh uêu uơ"),
    *_words("uôc uôi uôm uôn uông uôt"),
    *_words("uy uya uych uyn uynh uyp uyt uyu uyên uyêt"),
    *_words("ư ưa ưc ưi ưm ưn ưng ưt ưu"),
    *_words("ươc ươi ươm ươn ương ươp ươt ươu"),
    *_words("y ych ynh yt"),
)
"""Rhymes without their tone."""

TONES: Final = ("ngang", "huyền", "sắc", "hỏi", "ngã", "nặng")
"""Tones by name; the first is written without a mark."""

TONE_MARKS: Final = ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
"""The combining mark of each tone."""

STOP_TONES: Final = frozenset({"sắc", "nặng"})
"""The tones of a rhyme that ends in a stop (p, t, c, ch)."""

GLIDES: Final = ("oa", "oă", "oe", "uâ", "uê", "uơ", "uy")
"""Begins of the rhymes with a medial w; after c these are written qu."""

RHYMES_AFTER_QU: Final = frozenset(
    _words(
        "a ac ach ai an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt ân âng ât ây e en eo et ê êch ên ênh êt êu "
        "i ich inh ip it iu iên iêt ôc ơ ơn ơt y ych ynh yt"
    )
)

RHYMES_AFTER_GI_WITH_FRONT_VOWEL: Final = frozenset(_words("e em en eo ep i in iêc iêm iên iêng iêt iêu ê êch ênh"))
"""Of the rhymes that begin with e, ê or i, those that stand after gi, so that each written form has one reading."""

RHYMES_WITHOUT_ONSET_IN_YE: Final = frozenset(_words("iêm iên iêng iêt iêu"))
"""Of the rhymes in iê, those that stand without an onset, written yê."""

ONSETS_BEFORE_Y: Final = frozenset({"", *_words("c d h l m n nh qu s t th v")})
"""Onsets after which the rhyme y is written (ý, kỹ, Vy, quý)."""
