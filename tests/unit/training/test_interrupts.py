"""Ctrl-C and SIGTERM wait for the end of a step; a second Ctrl-C does not."""

import os
import signal

import pytest

from vietmer_core.training import interrupts
from vietmer_core.training.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_is_noted_and_the_handler_given_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts() as noted:
        assert not noted.is_requested
        os.kill(os.getpid(), number)
        assert noted.is_requested
    assert signal.getsignal(number) is before


def test_the_same_ctrl_c_passed_on_by_a_launcher_is_no_second_one() -> None:
    with Interrupts() as noted:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert noted.is_requested


def test_a_second_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "ONE_SECOND", -1.0)
    with Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
