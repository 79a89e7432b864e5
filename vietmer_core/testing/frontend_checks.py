"""Checks of frontends, which run in the loader's worker processes."""

import pickle
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vietmer_core.components import Role
from vietmer_core.protocols import AudioFrontend, TextFrontend
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError
from vietmer_core.testing.material import transcript_of, transcripts, waveform_of, waveforms
from vietmer_core.testing.profiles import check_settings


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def _is_text(candidate: Candidate) -> bool:
    return candidate.component.role == Role.TEXT


def _inputs(candidate: Candidate) -> st.SearchStrategy[Any]:
    return transcripts() if _is_text(candidate) else waveforms()


def _describe(given_: str | Tensor) -> str:
    return repr(given_) if isinstance(given_, str) else f"a waveform of {len(given_)} samples"


def frontend_protocol(candidate: Candidate) -> None:
    """The frontend fulfils the protocol of its role."""
    wanted = TextFrontend if _is_text(candidate) else AudioFrontend
    frontend = candidate.frontend()
    if not isinstance(frontend, wanted):
        raise _fail(
            "frontend_protocol", candidate, f"{type(frontend).__name__} must fulfil the protocol `{wanted.__name__}`."
        )


def frontend_output(candidate: Candidate) -> None:
    """Any input gives `(time, ...)` of the declared dtype, finite, silence and odd characters included."""
    frontend = candidate.frontend()
    dtype, axes = (torch.int64, "(tokens, fields)") if _is_text(candidate) else (torch.float32, "(frames, dim)")

    @check_settings()
    @given(given_=_inputs(candidate))
    def holds(given_: str | Tensor) -> None:
        output = frontend(given_)
        if output.ndim != 2 or output.dtype != dtype:
            found = f"{output.dtype} {tuple(output.shape)}"
            message = f"{_describe(given_)} must give {axes} {dtype}, but gives {found} instead."
            raise _fail("frontend_output", candidate, message)
        bad = int((~torch.isfinite(output)).sum())
        if bad:
            raise _fail("frontend_output", candidate, f"{_describe(given_)} gives {bad} NaN or infinite values.")

    holds()


def frontend_pickle(candidate: Candidate) -> None:
    """A frontend sent to a worker process gives the same."""
    frontend = candidate.frontend()
    again = pickle.loads(pickle.dumps(frontend))  # noqa: S301  # our own bytes

    @check_settings()
    @given(given_=_inputs(candidate))
    def holds(given_: str | Tensor) -> None:
        if not torch.equal(frontend(given_), again(given_)):
            raise _fail("frontend_pickle", candidate, f"{_describe(given_)} gives another result after `pickle`.")

    holds()


def frontend_deterministic(candidate: Candidate) -> None:
    """The same input gives the same bits from a frontend that has seen others, and is left as it was."""
    frontend, fresh = candidate.frontend(), candidate.frontend()

    @check_settings()
    @given(given_=_inputs(candidate))
    def holds(given_: str | Tensor) -> None:
        before = given_ if isinstance(given_, str) else given_.clone()
        first = frontend(given_)
        if isinstance(given_, Tensor) and isinstance(before, Tensor) and not torch.equal(given_, before):
            raise _fail("frontend_deterministic", candidate, "the frontend writes into its waveform.")
        other = transcript_of(3, 1) if isinstance(given_, str) else waveform_of(1000, 1)
        frontend(other)
        if not (torch.equal(first, frontend(given_)) and torch.equal(first, fresh(given_))):
            raise _fail("frontend_deterministic", candidate, f"{_describe(given_)} gives two results.")

    holds()


def frontend_empty(candidate: Candidate) -> None:
    """No words give no tokens, no samples give no frames, of the same width as any other output."""
    frontend = candidate.frontend()
    nothing = [frontend(""), frontend("  ")] if _is_text(candidate) else [frontend(torch.zeros(0))]
    full = frontend(transcript_of(4, 0) if _is_text(candidate) else waveform_of(16_000, 0))
    for output in nothing:
        wanted = (0, *full.shape[1:])
        if tuple(output.shape) != wanted:
            found = tuple(output.shape)
            raise _fail("frontend_empty", candidate, f"an empty input must give {wanted}, but gives {found} instead.")


def frontend_num_frames(candidate: Candidate) -> None:
    """`num_frames` says how many frames a waveform gives, never fewer for a longer one."""
    frontend = candidate.frontend()

    @check_settings()
    @given(num_samples=st.integers(0, 4000), more=st.integers(0, 600))
    def holds(num_samples: int, more: int) -> None:
        for samples in (num_samples, num_samples + more):
            found, declared = len(frontend(waveform_of(samples, 0))), frontend.num_frames(samples)
            if found != declared:
                message = f"`num_frames({samples})` must be {found}, as the frontend gives, but is {declared} instead."
                raise _fail("frontend_num_frames", candidate, message)
        if frontend.num_frames(num_samples + more) < frontend.num_frames(num_samples):
            message = f"{num_samples + more} samples give fewer frames than {num_samples}."
            raise _fail("frontend_num_frames", candidate, message)

    holds()
