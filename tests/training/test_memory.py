"""What is freed is there for what is allocated next."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from embodied_ssl.training.devices.memory import keep_memory
if {kept}:
    keep_memory()
for turn in range(12):
    if turn == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(60_000_000, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_large_arrays_come_from_memory_that_the_process_has():
    """60 MB are 15,000 pages, which the system must find and clear anew each time that they were handed back."""
    faults = [
        int(subprocess.run([sys.executable, "-c", FAULTS.format(kept=kept)], capture_output=True, check=True).stdout)
        for kept in (False, True)
    ]
    assert faults[1] < 100 < faults[0]
