"""Every label that an importer can give is in the label maps of its corpus."""

from collections.abc import Collection

import pytest
from vietmer_corpora import emodb, iemocap, meld, ravdess, sentiv, visec, vlsp, vnemos, vsmec

from vietmer_core.label_maps import label_maps, named_label_map

SPOKEN = frozenset(sentiv.EMOTIONS - {"disgust"})
LABELS: dict[str, Collection[str]] = {
    "emodb": emodb.EMOTIONS.values(),
    "iemocap": iemocap.EMOTIONS.values(),
    "meld": meld.EMOTIONS,
    "ravdess": ravdess.EMOTIONS.values(),
    "sentiv_speech": SPOKEN,
    "sentiv_text": sentiv.EMOTIONS,
    "visec": visec.EMOTIONS,
    "vnemos": vnemos.EMOTIONS,
    "vsmec": vsmec.EMOTIONS,
}
POLAR = {
    "vlsp2016": set(vlsp.POLARITIES.values()),
    "vlsp2018_hotel": {*vlsp.POLARITIES.values(), vlsp.MIXED},
    "vlsp2018_restaurant": {*vlsp.POLARITIES.values(), vlsp.MIXED},
}


@pytest.mark.parametrize("name", label_maps())
@pytest.mark.parametrize("corpus", LABELS)
def test_every_label_of_a_corpus_is_mapped(name: str, corpus: str) -> None:
    assert set(LABELS[corpus]) <= set(named_label_map(name).of(corpus))


@pytest.mark.parametrize("corpus", POLAR)
def test_polarity_maps_the_corpora_of_sentiment(corpus: str) -> None:
    assert set(named_label_map("polarity").of(corpus)) == POLAR[corpus]
