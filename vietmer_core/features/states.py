"""The kept states of one split."""

from collections.abc import Sequence
from typing import Final, Self, final

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vietmer_core.cache.dtypes import Dtype
from vietmer_core.cache.space import FeatureSpace

KEY_BYTES: Final = 32


def as_tensor(array: NDArray[np.generic], dtype: Dtype) -> Tensor:
    """What the store holds as states `(frames, dim)` float32, a copy."""
    if dtype == "fp32":
        return torch.from_numpy(array.copy())
    if dtype == "fp16":
        return torch.from_numpy(array.copy()).float()  # many times as fast as numpy's own conversion
    return torch.from_numpy((array.astype(np.uint32) << 16).view(np.float32))


@final
@attrs.frozen(kw_only=True, eq=False)
class SplitStates:
    """The states of one modality of a split, by position; survives `pickle`, for the loader's workers.

    Attributes:
        space: Where they are kept.
        keys: `(utterances, 32)` uint8, the key of each utterance.
        present: `(utterances,)` bool, False where the modality is absent.
    """

    space: FeatureSpace
    keys: NDArray[np.uint8]
    present: NDArray[np.bool_]

    @classmethod
    def of(cls, space: FeatureSpace, keys: Sequence[str]) -> Self:
        """From the keys of a split, "" where the modality is absent."""
        packed = np.zeros((len(keys), KEY_BYTES), np.uint8)
        for row, key in enumerate(keys):
            if key:
                packed[row] = np.frombuffer(bytes.fromhex(key), np.uint8)
        return cls(space=space, keys=packed, present=np.array([bool(key) for key in keys], bool))

    def of_donors(self, donors: NDArray[np.int64]) -> Self:
        """The states of the utterances at other positions, `(utterances,)`; a negative one has none."""
        present = (donors >= 0) & self.present[donors]
        return attrs.evolve(self, keys=self.keys[donors], present=present)

    def read(self, index: int) -> Tensor:
        """States `(frames, dim)` float32 of one utterance; `(0, dim)` where the modality is absent.

        Raises:
            CacheError: if they are not there any more, or damaged.
        """
        if not self.present[index]:
            return torch.zeros((0, self.space.dim))
        return as_tensor(self.space.read(self.keys[index].tobytes().hex()), self.space.dtype)
