"""The watch on sockets sees an attempt, in a child of a child too, and lets through what stays on the machine."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from vietmer_core.testing.outbound import attempts_in, outbound, processes_in, refused, watched_environment

HOST = "telemetry.example.org"


def test_an_attempt_is_refused_and_written_down() -> None:
    attempts: list[str] = []
    with refused(attempts), pytest.raises(OSError, match=f"refused: socket.getaddrinfo {HOST}"):
        urllib.request.urlopen(f"http://{HOST}/v1", timeout=1)
    assert attempts == [f"socket.getaddrinfo {HOST}"]


def test_addresses_without_a_name_are_seen_too() -> None:
    attempts: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, refused(attempts):
        for send in (lambda: datagram.connect(("192.0.2.1", 9)), lambda: datagram.sendto(b"?", ("192.0.2.2", 9))):
            with pytest.raises(PermissionError):
                send()
    assert attempts == ["socket.connect 192.0.2.1", "socket.sendto 192.0.2.2"]


def test_what_stays_on_the_machine_is_let_through(tmp_path: Path) -> None:
    attempts: list[str] = []
    with refused(attempts):
        socket.getaddrinfo("localhost", 80)
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            pass
        if hasattr(socket, "AF_UNIX"):
            with socket.socket(socket.AF_UNIX) as listens, socket.socket(socket.AF_UNIX) as speaks:
                listens.bind(str(tmp_path / "s"))
                listens.listen()
                speaks.connect(str(tmp_path / "s"))
    assert attempts == []
    assert outbound("open", ("a.txt", "w", 0)) == ""


def test_after_the_watch_nothing_is_refused() -> None:
    with refused([]):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.connect(("127.0.0.1", 9))


def test_a_child_of_a_child_is_watched(tmp_path: Path) -> None:
    inner = f"import urllib.request; urllib.request.urlopen('http://{HOST}/v1', timeout=1)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    environment = watched_environment(tmp_path / "watch", {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9"})
    done = subprocess.run([sys.executable, "-c", outer], env=environment, capture_output=True, text=True, check=True)
    assert "PermissionError: refused" in done.stderr
    assert attempts_in(tmp_path / "watch") == [f"socket.getaddrinfo {HOST}"]
    assert processes_in(tmp_path / "watch") == 2


def test_an_address_of_this_machine_is_let_through_where_it_is_named(tmp_path: Path) -> None:
    """192.0.2.1 stands for it; a packet to 192.0.2.2 would leave."""
    source = "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((sys.argv[1], 9))"
    environment = watched_environment(tmp_path / "watch", os.environ, here=["192.0.2.1"])
    for host in ("192.0.2.1", "192.0.2.2"):
        subprocess.run([sys.executable, "-c", source, host], env=environment, capture_output=True, check=False)
    assert attempts_in(tmp_path / "watch") == ["socket.connect 192.0.2.2"]
