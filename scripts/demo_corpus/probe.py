"""Simple classifiers on the demo corpus: is neither channel enough, and are both together?

`python scripts/demo_corpus/probe.py` trains on the training split and prints macro-F1 on the other two. Needs
scikit-learn besides what `synthesise.py` needs.
"""

import json
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import soundfile
from scipy.fft import dct
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from synthesise import DATA

Array = np.ndarray[Any, Any]
WINDOW: Final = 400
HOP: Final = 160
NUM_BANDS: Final = 40


@attrs.frozen
class Utterances:
    """One split as arrays over utterances."""

    texts: list[str]
    statistics: Array
    durations: Array
    labels: Array
    cues: Array


def _band_matrix() -> Array:
    """Triangular mel bands, shape (NUM_BANDS, frequencies)."""
    mel_edges = np.linspace(1127 * np.log1p(60 / 700), 1127 * np.log1p(7600 / 700), NUM_BANDS + 2)
    edges = 700 * np.expm1(mel_edges / 1127)
    hertz = np.linspace(0, 8000, WINDOW // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None))


BAND_MATRIX: Final = _band_matrix()


def log_mel(samples: Array) -> Array:
    """Log mel spectrogram, shape (frames, NUM_BANDS)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    return np.asarray(np.log(power @ BAND_MATRIX.T + 1e-7))


def pitch_track(samples: Array) -> Array:
    """Pitch in semitones over 50 Hz of the voiced frames, from the autocorrelation of 40 ms windows."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::HOP] * np.hanning(640)
    spectrum = np.abs(np.fft.rfft(frames, 2048, axis=1)) ** 2
    correlation = np.fft.irfft(spectrum, axis=1)[:, :300]
    lags = correlation[:, 32:230]
    voiced = (lags.max(axis=1) > 0.45 * correlation[:, 0]) & (correlation[:, 0] > 0.1 * correlation[:, 0].mean())
    hertz = 16_000 / (32 + lags.argmax(axis=1))
    return np.asarray(12 * np.log2(hertz[voiced] / 50)) if voiced.any() else np.zeros(1)


def statistics_of(samples: Array) -> Array:
    """Means and spreads over time of the log mel bands, their changes, the pitch, and the modulation of loudness."""
    bands = log_mel(samples)
    pitch = pitch_track(samples)
    loudness = bands.mean(axis=1) - bands.mean()
    modulation = np.log(np.abs(np.fft.rfft(loudness, 512))[4:64].reshape(12, 5).mean(axis=1) + 1e-3)
    shape = dct(bands, axis=1, norm="ortho")[:, :13]
    percentiles = np.percentile(pitch, [10, 25, 50, 75, 90])
    return np.concatenate(
        [
            bands.mean(axis=0),
            bands.std(axis=0),
            np.abs(np.diff(shape, axis=0)).mean(axis=0),
            percentiles,
            [percentiles[-1] - percentiles[0], np.abs(np.diff(pitch)).mean() if len(pitch) > 1 else 0.0],
            modulation,
            [len(samples) / 16_000],
        ]
    )


def read_split(folder: Path, split: str) -> Utterances:
    """Read the rows and the audio of one split."""
    rows = [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    decoded = {path: soundfile.read(folder / path)[0] for path in sorted({row["wav_path"] for row in rows})}
    cut = [decoded[row["wav_path"]][round(row["start"] * 16_000) : round(row["end"] * 16_000)] for row in rows]
    return Utterances(
        texts=[row["transcript"] for row in rows],
        statistics=np.array([statistics_of(samples) for samples in cut]),
        durations=np.array([[len(samples) / 16_000] for samples in cut]),
        labels=np.array([row["emotion"] for row in rows]),
        cues=np.array([row["cue"] for row in rows]),
    )


def text_model() -> Pipeline:
    """Words and word pairs, logistic regression."""
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=30.0, max_iter=2000),
    )


def audio_model() -> Pipeline:
    """Statistics over time, kernel machine."""
    return make_pipeline(StandardScaler(), SVC(C=3.0, gamma=0.003))


def main() -> None:
    """Print the scores."""
    splits = {split: read_split(DATA, split) for split in ("train", "valid", "test")}
    train = splits["train"]
    text = text_model().fit(train.texts, train.labels)
    audio = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=3000)).fit(
        train.statistics, train.labels
    )
    kernel = audio_model().fit(train.statistics, train.labels)
    duration = make_pipeline(StandardScaler(), LogisticRegression()).fit(train.durations, train.labels)
    vectoriser = text[0]
    fused_train = _joined(train, vectoriser=vectoriser, scaler=audio[0])
    fused = LogisticRegression(C=1.0, max_iter=3000).fit(fused_train, train.labels)
    for split in ("valid", "test"):
        data = splits[split]
        product = text.predict_log_proba(data.texts) + audio.predict_log_proba(data.statistics)
        guesses = {
            "text, logistic": text.predict(data.texts),
            "audio, logistic": audio.predict(data.statistics),
            "audio, kernel": kernel.predict(data.statistics),
            "both, product": text.classes_[product.argmax(axis=1)],
            "both, joined": fused.predict(_joined(data, vectoriser=vectoriser, scaler=audio[0])),
            "duration alone": duration.predict(data.durations),
        }
        for name, guess in guesses.items():
            print(f"{split:6s} {name:16s} {f1_score(data.labels, guess, average='macro'):.3f}", end="  ")
            for cue in ("voice", "words", "both"):
                of_cue = data.cues == cue
                print(f"{cue} {np.mean(guess[of_cue] == data.labels[of_cue]):.2f}", end=" ")
            print()


def _joined(data: Utterances, *, vectoriser: TfidfVectorizer, scaler: StandardScaler) -> Array:
    """Words and statistics side by side."""
    return np.hstack([vectoriser.transform(data.texts).toarray() * 6.0, scaler.transform(data.statistics) * 0.4])


if __name__ == "__main__":
    main()
