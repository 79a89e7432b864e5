"""torch's loader over a split, with sentences instead of worker tracebacks."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import attrs
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from vietmer_core.batch import Batch
from vietmer_core.data.dataset import Sample, UtteranceDataset, collate
from vietmer_core.data.draw import Draw
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError, CacheError, ChangedFileError, DataError, RunError, VietmerError
from vietmer_core.spec import LoaderSpec


@attrs.frozen(kw_only=True)
class Fault:
    """What went wrong with one utterance: it crosses the border of a process as data, not as an exception.

    Attributes:
        index: Position of the utterance in its split.
        sentence: What went wrong.
        error: What to raise.
    """

    index: int
    sentence: str
    error: type[VietmerError] = DataError


@final
class GuardedDataset(Dataset[Sample | Fault]):
    """A dataset whose data errors are values."""

    def __init__(self, dataset: UtteranceDataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, drawn: int | Draw) -> Sample | Fault:
        index = drawn.index if isinstance(drawn, Draw) else drawn
        try:
            return self._dataset[drawn]
        except ChangedFileError as error:  # not of the utterance
            return Fault(index=index, sentence=str(error), error=ChangedFileError)
        except DataError as error:
            return Fault(index=index, sentence=str(error))
        except CacheError as error:
            return Fault(index=index, sentence=str(error), error=CacheError)
        except RunError as error:  # not of the utterance, such as a recording of noise
            return Fault(index=index, sentence=str(error), error=RunError)


@attrs.frozen(kw_only=True, eq=False)
class Loaded:
    """What one draw gave: the batch of the utterances that could be prepared, what was cut and added, the faults."""

    batch: Batch | None
    faults: tuple[Fault, ...]
    tokens_cut: Mapping[int, int]
    samples_added: Mapping[int, int]

    def pin_memory(self) -> "Loaded":
        """The same in page-locked memory (called by torch's loader)."""
        return attrs.evolve(self, batch=None if self.batch is None else self.batch.pin_memory())


def collate_guarded(items: Sequence[Sample | Fault]) -> Loaded:
    """Collate the samples and keep the faults beside them."""
    samples = [item for item in items if isinstance(item, Sample)]
    faults = tuple(item for item in items if isinstance(item, Fault))
    cut = {sample.index: sample.tokens_cut for sample in samples if sample.tokens_cut}
    added = {sample.index: sample.samples_added for sample in samples if sample.samples_added}
    batch = collate(samples) if samples else None
    return Loaded(batch=batch, faults=faults, tokens_cut=cut, samples_added=added)


def _ignore_interrupt(worker: int) -> None:  # noqa: ARG001  # torch passes the number of the worker
    """Leave Ctrl-C to the training process, which ends the run between two steps."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Ctrl-C waits: a worker that starts inside inherits this, long before it can ask for it itself.

    A terminal sends Ctrl-C to all processes of a run, and a spawned worker needs seconds to import torch.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def make_loader(
    dataset: UtteranceDataset,
    batches: Iterable[list[int]] | Iterable[list[Draw]],
    *,
    loader: LoaderSpec,
    seed: int,
    pin_memory: bool,
) -> DataLoader[Any]:
    """A loader with a generator of its own, so that its seeds do not disturb the model's random numbers.

    Raises:
        AssemblyError: if this system cannot start workers in the way asked for.
    """
    started: dict[str, Any] = {}
    if loader.workers:
        usable = multiprocessing.get_all_start_methods()
        if loader.start_method not in usable:
            raise AssemblyError(
                f"`loader.start_method` must be one of {', '.join(usable)} on this system, but is "
                f"`{loader.start_method}` instead."
            )
        started = {"multiprocessing_context": loader.start_method, "persistent_workers": True}
    return DataLoader(
        GuardedDataset(dataset),
        batch_sampler=batches,
        num_workers=loader.workers,
        collate_fn=collate_guarded,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_interrupt,
        generator=torch.Generator().manual_seed(seed),
        **started,
    )


def raise_fault(fault: Fault) -> None:
    """Stop at the first utterance that cannot be prepared.

    Raises:
        VietmerError: with the sentence of the fault, usually a `DataError`.
    """
    raise fault.error(fault.sentence)


def iterate(
    loader: DataLoader[Any],
    *,
    on_fault: Callable[[Fault], None] = raise_fault,
    on_cut: Callable[[Mapping[int, int]], None] = lambda _: None,
    on_padded: Callable[[Mapping[int, int]], None] = lambda _: None,
) -> Iterator[Batch]:
    """The batches of a loader.

    Args:
        loader: Made by `make_loader`.
        on_fault: Takes each utterance that cannot be prepared; may raise or count it.
        on_cut: Takes the tokens cut from the transcripts of a batch, by the position of the utterance in its split.
        on_padded: Takes the samples added to the audio of a batch that was too short, likewise.

    Raises:
        RunError: if a worker ends unexpectedly.
    """
    for loaded in draws(loader):
        on_cut(loaded.tokens_cut)
        on_padded(loaded.samples_added)
        for fault in loaded.faults:
            on_fault(fault)
        if loaded.batch is not None:
            yield loaded.batch


def draws(loader: DataLoader[Any]) -> Iterator[Loaded]:
    """What each draw of a loader gives, one for each list of its batch sampler.

    Raises:
        RunError: if a worker ends unexpectedly.
    """
    try:
        with _interrupts_blocked():
            drawn = iter(loader)
        yield from drawn
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            "a process of the loader ended unexpectedly, often for want of memory. Lower `loader.workers` or "
            f"`loader.cache_mib`. It said: {str(error).splitlines()[0]}"
        ) from error


def evaluation_batches(sizes: UtteranceSizes, *, batch_size: int) -> list[list[int]]:
    """Every utterance once, the like-sized together; predictions are put back in order by their positions."""
    order = np.lexsort((np.arange(len(sizes)), sizes.text_words, sizes.audio_seconds))
    return [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]
