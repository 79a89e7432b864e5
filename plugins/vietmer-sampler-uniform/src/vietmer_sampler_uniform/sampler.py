"""Every utterance once an epoch, in a fresh random order. Torch-free."""

from typing import final

import attrs
import numpy as np

from vietmer_core.errors import AssemblyError


@final
@attrs.frozen(kw_only=True)
class UniformSampler:
    """A uniform permutation of the split, drawn from (seed, epoch) alone, cut into batches.

    Attributes:
        num_utterances: Size of the split.
        batch_size: Utterances of a batch; the last batch of an epoch holds what is left.
        drop_last: Leave that last batch out if it is smaller than the others.
        seed: Of the run, at least 0.

    Raises:
        AssemblyError: if `drop_last` would leave no batch.
    """

    num_utterances: int
    batch_size: int
    drop_last: bool
    seed: int

    def __attrs_post_init__(self) -> None:
        if self.drop_last and self.num_utterances < self.batch_size:
            raise AssemblyError(
                f"`sampler.batch_size` must be at most {self.num_utterances}, the utterances of the split, where "
                f"`drop_last` is true, but is {self.batch_size} instead. Set `drop_last: false`."
            )

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (0, 1, …): positions in the split."""
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, epoch])))
        order = generator.permutation(self.num_utterances).tolist()
        size = self.batch_size
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        return batches[: self.num_utterances // size] if self.drop_last else batches
