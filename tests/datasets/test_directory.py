"""One owner per directory: who it is, what becomes of it when its owner dies, and that there are never two."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.directory import claim

HOLD = """
import sys, time
from pathlib import Path
from embodied_ssl.datasets.store.directory import claim
with claim(Path(sys.argv[1])):
    print("holding", flush=True)
    time.sleep(60)
"""
TAKE_TURNS = """
import os, sys
from pathlib import Path
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.datasets.errors import DataError
folder, turns = Path(sys.argv[1]), 0
while turns < 30:
    try:
        with claim(folder):
            (folder / "mine").touch(exist_ok=False)
            (folder / "mine").unlink()
            turns += 1
    except DataError:
        continue
"""


def test_another_owner_is_named_until_it_dies(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
    assert holder.stdout.readline() == b"holding\n"
    with pytest.raises(DataError, match=rf"another process \({holder.pid} on .+, since 2.+\)"), claim(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with claim(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_waits_is_told_for_whom_and_comes_next(tmp_path, capsys):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
    assert holder.stdout.readline() == b"holding\n"
    threading.Timer(1.0, holder.kill).start()
    with claim(tmp_path, wait=True):
        assert holder.communicate()
        assert holder.returncode != 0
    assert f"another process ({holder.pid} on " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("waits", [False, True])
def test_there_are_never_two_owners(tmp_path, waits):
    command = [sys.executable, "-c", TAKE_TURNS.replace("folder)", f"folder, {waits})", 1), str(tmp_path)]
    rivals = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) for _ in range(3)]
    for rival in rivals:
        said = rival.communicate()[1]
        assert waits or said == ""
        assert rival.returncode == 0


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="choose another --out"), claim(tmp_path / "file"):
        pass
