"""What a failed check says, and how far apart two results may lie."""

from typing import Final

import attrs
import torch
from torch import Tensor

DTYPES: Final = (torch.float64, torch.float32)
"""Every numeric check runs in both: float64 tells a leak from rounding, float32 is what is trained."""


class ConformanceError(AssertionError):
    """A component breaks a rule of the house; the message names the check, the component, the place and the figure."""


def tolerance(dtype: torch.dtype, largest: float) -> float:
    """The largest difference allowed: float64 1e-10 times max(1, `largest`), float32 1e-5 times `largest`."""
    return 1e-10 * max(1.0, largest) if dtype == torch.float64 else 1e-5 * largest


def largest_of(values: Tensor) -> float:
    """The largest magnitude, 0 for none."""
    return float(values.abs().max()) if values.numel() else 0.0


def difference(expected: Tensor, found: Tensor) -> float:
    """The largest difference; inf where the shapes differ or either holds a NaN or an infinity."""
    if expected.shape != found.shape or not (torch.isfinite(expected).all() and torch.isfinite(found).all()):
        return float("inf")
    return largest_of(expected.double() - found.double())


def describe_dtype(dtype: torch.dtype) -> str:
    """`float64`, not `torch.float64`."""
    return str(dtype).removeprefix("torch.")


@attrs.frozen(kw_only=True)
class Place:
    """Where a comparison stands: the check, the component, the dtype, the row and its lengths."""

    check: str
    component: str
    dtype: torch.dtype
    row: str = ""

    def __str__(self) -> str:
        row = f", {self.row}" if self.row else ""
        return f"check `{self.check}`, component `{self.component}`, {describe_dtype(self.dtype)}{row}"

    def fail(self, message: str) -> ConformanceError:
        """The error to raise here."""
        return ConformanceError(f"{self}: {message}")


def require_same(
    place: Place, *, expected: Tensor, found: Tensor, largest: float, what: str, control: str = ""
) -> None:
    """Compare two results.

    Args:
        place: Where the comparison stands.
        expected: The result to reproduce.
        found: The result found.
        largest: The largest magnitude of the whole result, which scales the tolerance.
        what: What was changed between the two, such as "1e4 in the padding".
        control: The same comparison without padding, in words.

    Raises:
        ConformanceError: if the shapes differ, a value is not finite, or the difference is above the tolerance.
    """
    if expected.shape != found.shape:
        raise place.fail(f"{what} changes the shape from {tuple(expected.shape)} to {tuple(found.shape)}.")
    gap, allowed = difference(expected, found), tolerance(place.dtype, largest)
    if not gap <= allowed:
        found_bad = int((~torch.isfinite(found)).sum())
        bad = f" ({found_bad} of {found.numel()} values are NaN or infinite)" if found_bad else ""
        raise place.fail(f"{what} changes the result by {gap:.3g}{bad}; at most {allowed:.3g} is allowed.{control}")
