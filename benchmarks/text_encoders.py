"""Pretrained text encoders: what padding changes, ours beside plain transformers, and what a sentence costs.

    nox -s bench -- text_encoders

Prints two Markdown tables. First, on small random networks in float64, the largest difference between a row alone and
in a batch with junk in its padding, divided by the largest value or gradient. Second, sentences a second of processor
time, one thread: segmenting and cutting into subwords, and encoding with random weights of the size of PhoBERT-base.
The sentences and the vocabulary are those of `../shared/data` where it is there, otherwise the kit's transcripts and a
tiny vocabulary.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import RobertaConfig
from vietmer_text_phobert import plugin as phobert
from vietmer_text_phobert.loading import load_encoder as load_phobert
from vietmer_text_phobert.loading import load_frontend
from vietmer_text_videberta import plugin as videberta
from vietmer_text_videberta.loading import load_encoder as load_videberta

from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.testing.material import transcript_of

SHARED: Final = Path(__file__).parents[2] / "shared" / "data"
SENTENCES: Final = SHARED / "vsmec_text" / "valid.jsonl"
VOCABULARY: Final = SHARED / "phobert_tokenizer"
LENGTHS: Final = ((9, 4, 1, 7), (3, 8, 2, 5), (12, 1, 5, 11))
NUM_SENTENCES: Final = 400
BATCH: Final = 8
MAX_TOKENS: Final = 96

Encode = Callable[[MaskedSequence], Tensor]


def ours(encoder: nn.Module) -> Encode:
    def encode(sequence: MaskedSequence) -> Tensor:
        output: MaskedSequence = encoder(sequence)
        return output.features

    return encode


def plain(model: Any, *, pad_id: int, masked: bool) -> Encode:
    """Transformers as it is called; where there is no mask, the padding holds the id of the padding."""

    def encode(sequence: MaskedSequence) -> Tensor:
        ids = sequence.features[..., 0].masked_fill(~sequence.mask, pad_id)
        mask = sequence.mask.long() if masked else torch.ones_like(ids)
        states: Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    return encode


def run(encode: Encode, module: nn.Module, sequence: MaskedSequence) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The real frames of each row, and the gradients of a sum of all of them."""
    module.zero_grad()
    features = encode(sequence)
    rows = [features[index, : int(length)] for index, length in enumerate(sequence.lengths)]
    weighted = [(row * torch.linspace(-1, 1, row.numel(), dtype=row.dtype).reshape(row.shape)).sum() for row in rows]
    torch.autograd.backward(torch.stack(weighted).sum())
    gradients = {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}
    return [row.detach() for row in rows], gradients


def leak(encode: Encode, module: nn.Module, *, num_ids: int, junk: bool) -> tuple[float, float]:
    """Largest differences, values and gradients, over the batches of `LENGTHS`."""
    values, gradients = 0.0, 0.0
    generator = torch.Generator().manual_seed(1)
    for lengths in LENGTHS:
        rows = [torch.randint(5, num_ids, (length, 1), generator=generator) for length in lengths]
        batch = pad_rows(rows, time=max(lengths) + 3)
        if junk:
            batch = batch.with_features(batch.features.masked_fill(~batch.mask[:, :, None], 10_000))
        together, joint = run(encode, module, batch)
        alone = [run(encode, module, pad_rows([row])) for row in rows]
        scale = max(float(row.abs().max()) for row in together)
        for found, (expected, _) in zip(together, alone, strict=True):
            values = max(values, float((found - expected[0]).abs().max()) / scale)
        largest = max(float(value.abs().max()) for value in joint.values())
        for name, value in joint.items():
            summed = torch.stack([single[name] for _, single in alone]).sum(dim=0)
            gradients = max(gradients, float((value - summed).abs().max()) / largest)
    return values, gradients


def leak_table() -> None:
    print("| network | how it is run | float64 values | gradients |\n|---|---|--:|--:|")
    tiny = {"weights": "random", "segmenter": "none", "freeze": False}
    torch.manual_seed(0)
    roberta = load_phobert(phobert.PhobertParams.model_validate({**tiny, "checkpoint": str(phobert.TINY)}))
    deberta = load_videberta(videberta.VidebertaParams.model_validate({**tiny, "checkpoint": str(videberta.TINY)}))
    for title, encoder, pad_id, num_ids in (
        ("PhoBERT (RoBERTa)", roberta, 1, 91),
        ("ViDeBERTa (DeBERTa-v3)", deberta, 0, 90),
    ):
        encoder.double().eval()
        model = encoder.backbone.model
        ways: list[tuple[str, Encode, bool]] = [
            ("ours, any id in the padding", ours(encoder), True),
            ("transformers, mask passed", plain(model, pad_id=pad_id, masked=True), False),
            ("transformers, no mask", plain(model, pad_id=pad_id, masked=False), False),
        ]
        for way, encode, junk in ways:
            values, gradients = leak(encode, encoder, num_ids=num_ids, junk=junk)
            print(f"| {title} | {way} | {values:.1e} | {gradients:.1e} |", flush=True)


def sentences() -> list[str]:
    """Real ones where they are."""
    if not SENTENCES.is_file():
        return [transcript_of(4 + index % 24, index) for index in range(NUM_SENTENCES)]
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["transcript"] for line in lines if line.strip()]
    return [sentence for sentence in found if sentence][:NUM_SENTENCES]


def rate(work: Callable[[Any], object], inputs: Sequence[Any], count: int) -> float:
    """Sentences a second of processor time, which other programs do not lengthen; one thread."""
    begin = time.process_time()
    for one in inputs:
        work(one)
    return count / (time.process_time() - begin)


def base_folder(folder: Path) -> Path:
    """A checkpoint of the size of PhoBERT-base without weights."""
    RobertaConfig(vocab_size=64_001, max_position_embeddings=258, type_vocab_size=1).save_pretrained(folder)
    source = VOCABULARY if VOCABULARY.is_dir() else phobert.TINY
    for name in ("vocab.txt", "bpe.codes"):
        (folder / name).write_bytes((source / name).read_bytes())
    return folder


def batches(rows: Sequence[Tensor]) -> list[MaskedSequence]:
    return [pad_rows(rows[begin : begin + BATCH]) for begin in range(0, len(rows), BATCH)]


@torch.inference_mode()
def cost_table(folder: Path) -> None:
    print("\n| step | sentences a second |\n|---|--:|")
    texts = sentences()
    for segmenter in ("none", "pyvi", "underthesea"):
        given = {"checkpoint": str(folder), "weights": "random", "segmenter": segmenter, "unreadable": "keep"}
        params = phobert.PhobertParams.model_validate({**given, "max_tokens": MAX_TOKENS})
        frontend = load_frontend(params)
        frontend("khách hàng")  # loads what it needs
        speed = rate(frontend, texts, len(texts))
        print(f"| ids of a transcript, `segmenter: {segmenter}` | {speed:,.0f} |", flush=True)
    encoder = load_phobert(params).eval()
    rows = [frontend(text) for text in texts]
    full = [pad_rows([torch.randint(5, 60_000, (MAX_TOKENS, 1)) for _ in range(BATCH)]) for _ in range(2)]
    real = batches(rows[: 8 * BATCH])
    mean = sum(map(len, rows)) / len(rows)
    for title, given_batches in (
        (f"{MAX_TOKENS} tokens", full),
        (f"real sentences, {mean:.0f} tokens on average, as they come", real),
    ):
        count = sum(len(batch.lengths) for batch in given_batches)
        for who, encode in (
            ("ours", ours(encoder)),
            ("transformers", plain(encoder.backbone.model, pad_id=1, masked=True)),
        ):
            encode(given_batches[0])
            speed = rate(encode, given_batches, count)
            print(f"| encoding, batch {BATCH}, {title}, {who} | {speed:.1f} |", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    leak_table()
    with tempfile.TemporaryDirectory() as folder:
        cost_table(base_folder(Path(folder)))


if __name__ == "__main__":
    main()
