import hashlib
import unicodedata

import pytest
from vietmer_text_syllable.inventory import ONSETS, RHYMES, TONE_MARKS, TONES
from vietmer_text_syllable.spelling import (
    Syllable,
    ToneStyle,
    _written,
    compose,
    is_legal,
    parse,
    spellings,
    takes_tone,
)

PAIRS = [(onset, rhyme) for onset in ONSETS for rhyme in RHYMES if is_legal(onset, rhyme)]
SYLLABLES = [
    Syllable(onset, rhyme, tone) for onset, rhyme in PAIRS for tone in TONES if takes_tone(rhyme, tone)
]  # every syllable that can be written, said or not

DIGEST_OF_TABLES = "d962962ba0b4e3b56667fe774cbfa8ed7fdc09f7dddfd830ae2f6f6a1f781f9e"

EXAMPLES = """
hoà h oa huyền | ngoại ng oai nặng | của c ua hỏi | quả qu a hỏi | quốc qu ôc sắc | cuốc c uôc sắc | quý qu y sắc
quí qu i sắc | quyền qu iên huyền | quỳnh qu ynh huyền | quẹo qu eo nặng | quạu qu au nặng | quở qu ơ hỏi
gì gi i huyền | gìn gi in huyền | giếng gi iêng sắc | giết gi iêt sắc | giễu gi iêu ngã | già gi a huyền
giặt gi ăt nặng | giữ gi ư ngã | giê gi ê ngang | ghi g i ngang | ghế g ê sắc | ga g a ngang | gương g ương ngang
nghiêng ng iêng ngang | nghề ng ê huyền | ngày ng ay huyền | nguyễn ng uyên ngã | nguệch ng uêch nặng
kiểu c iêu hỏi | kẻ c e hỏi | cá c a sắc | kỹ c y ngã | kĩ c i ngã | khuya kh uya ngang | khuỷu kh uyu hỏi
yêu _ iêu ngang | yến _ iên sắc | ý _ y sắc | ỉa _ ia hỏi | ư _ ư ngang | ướt _ ươt sắc | uống _ uông sắc
oan _ oan ngang | uyên _ uyên ngang | anh _ anh ngang | thuở th uơ hỏi | huân h uân ngang | hươu h ươu ngang
xoong x oong ngang | soóc s ooc sắc | chiếc ch iêc sắc | đường đ ương huyền | thích th ich sắc | trọng tr ong nặng
hừm h ưm huyền | buýt b uyt sắc | voan v oan ngang | phở ph ơ hỏi | pin p in ngang | duy d uy ngang | vy v y ngang
"""

STRANGE = """
cê ka kuy ghà ngề ngi gha qa q quô cuy coa giia yê yêc iêu iên bya gy hoc họk hòá hơ\u0301\u0300 hń b đ ng strong wifi
zô fải jà ko ngươ thă hâha viẹc êc ươ uô iê yn ynh aa ơă a\u0302\u0306 thuơn
"""


@pytest.mark.parametrize("example", EXAMPLES.strip().replace("\n", " | ").split(" | "))
def test_known_syllables(example: str) -> None:
    written, onset, rhyme, tone = example.split()
    syllable = Syllable(onset="" if onset == "_" else onset, rhyme=rhyme, tone=tone)
    assert parse(written) == syllable
    assert compose(syllable) == written


@pytest.mark.parametrize("style", ["old", "new"])
def test_every_syllable_survives_composing_and_parsing(style: ToneStyle) -> None:
    assert [parse(compose(syllable, style=style)) for syllable in SYLLABLES] == SYLLABLES


def test_every_written_form_has_one_reading() -> None:
    assert len(PAIRS) == len(spellings()) == 3_745
    assert len({compose(syllable) for syllable in SYLLABLES}) == len(SYLLABLES) == 17_302


def test_without_the_rules_written_forms_have_two_readings() -> None:
    every = ["".join(_written(onset, rhyme)) for onset in ONSETS for rhyme in RHYMES]
    assert len(set(every)) < len(every)
    assert "".join(_written("gi", "ia")) == "".join(_written("gi", "a"))


def test_tone_styles_differ_in_open_oa_oe_uy_alone() -> None:
    differing = {
        (syllable.onset, syllable.rhyme)
        for syllable in SYLLABLES
        if compose(syllable, style="old") != compose(syllable, style="new")
    }
    expected = {(onset, rhyme) for onset, rhyme in PAIRS if rhyme in {"oa", "oe", "uy"}}
    assert differing == expected


@pytest.mark.parametrize(
    ("old", "new"), [("hòa", "hoà"), ("khỏe", "khoẻ"), ("thúy", "thuý"), ("ủy", "uỷ"), ("lọa", "loạ")]
)
def test_both_tone_styles_are_one_syllable(old: str, new: str) -> None:
    syllable = parse(new)
    assert syllable is not None
    assert parse(old) == syllable
    assert (compose(syllable, style="old"), compose(syllable)) == (old, new)


def test_every_normal_form_gives_one_syllable() -> None:
    for syllable in SYLLABLES[::7]:
        decomposed = unicodedata.normalize("NFD", compose(syllable))
        assert parse(decomposed) == syllable


def test_a_mark_on_any_vowel_and_before_the_hat_is_read() -> None:
    expected = Syllable("t", "uyên", "huyền")
    assert [parse(word) for word in ("tuyền", "tùyên", "tuye\u0300\u0302n")] == [expected] * 3


@pytest.mark.parametrize("word", STRANGE.split())
def test_what_is_not_written_vietnamese_is_refused(word: str) -> None:
    assert parse(word) is None


def test_nothing_and_capitals_are_no_syllable() -> None:
    assert [parse(word) for word in ("", " ", "Hoà", "\u0301", "\u0301a")] == [None] * 5


def test_stops_take_two_tones() -> None:
    assert [parse("hoc" + mark) is not None for mark in TONE_MARKS] == [False] * 6
    read = [parse("ho" + mark + "c") for mark in TONE_MARKS]
    assert [syllable.tone for syllable in read if syllable] == ["sắc", "nặng"]


@pytest.mark.parametrize(
    "syllable",
    [
        Syllable("c", "oa", "ngang"),
        Syllable("h", "oc", "ngang"),
        Syllable("w", "a", "ngang"),
        Syllable("b", "ynh", "sắc"),
    ],
)
def test_composing_what_cannot_be_written_is_refused(syllable: Syllable) -> None:
    with pytest.raises(ValueError, match="`syllable` must be an onset, a rhyme and a tone that go together"):
        compose(syllable)


def test_the_tables_of_trained_models_never_change() -> None:
    tables = "\n".join(" ".join(table) for table in (ONSETS, RHYMES, TONES))
    assert (len(ONSETS), len(RHYMES), len(TONES)) == (25, 160, 6)
    assert len(set(ONSETS)) == 25
    assert len(set(RHYMES)) == 160
    assert hashlib.sha256(tables.encode()).hexdigest() == DIGEST_OF_TABLES
