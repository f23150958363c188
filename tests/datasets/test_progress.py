"""Bars move on a terminal and never fill a log file."""

import io
import sys
import time

import pytest

from embodied_ssl.datasets import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def play(monkeypatch, stream: io.StringIO, seconds: int, **settings) -> str:
    """What a task of so many seconds writes that counts eight a second."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.progress_bar(8 * seconds, "frames", "roam", **settings) as bar:
        for _ in range(8 * seconds):
            now[0] += 0.125
            bar.update(1)
        bar.set_postfix(loss=0.5)
    return stream.getvalue()


def test_a_log_file_gets_one_line_a_minute_with_rate_and_time_left(monkeypatch):
    lines = play(monkeypatch, io.StringIO(), 330).splitlines()
    assert len(lines) == 6  # five minutes, and the end
    assert lines[1] == "roam: 36% 960/2640 frames [02:00<03:30,  8.00 frames/s]"
    assert lines[-1].startswith("roam: 100% 2640/2640 frames [05:30<00:00")
    assert "loss=0.5" in lines[-1]
    assert not any("\r" in line or not line for line in lines)


def test_what_takes_less_than_a_minute_says_nothing_to_a_log_file(monkeypatch):
    assert play(monkeypatch, io.StringIO(), 50) == ""


def test_a_terminal_sees_a_bar_move(monkeypatch):
    written = play(monkeypatch, Terminal(), 20)
    assert written.count("\r") > 20
    assert "50%" in written


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_nothing_is_shown_where_nothing_is_wanted(monkeypatch, stream):
    assert play(monkeypatch, stream(), 200, shown=False) == ""
