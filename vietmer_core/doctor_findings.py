"""What `vietmer doctor` says about one thing that it looked at. Torch-free."""

from collections.abc import Mapping
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs


class Status(StrEnum):
    """How grave a finding is."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        status: `problem` makes `vietmer doctor` leave with 1; `note` restricts nothing that is needed.
        message: What was found, one sentence.
        remedy: What to do, where there is something to do.
        facts: The same as data.
    """

    subject: str
    status: Status
    message: str
    remedy: str = ""
    facts: Mapping[str, Any] = attrs.field(factory=dict)


def installed_version(distribution: str) -> str | None:
    """The version of a distribution, or None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
