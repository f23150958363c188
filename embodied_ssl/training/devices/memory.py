"""Memory that a process has had from the system stays with it."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGE_BYTES = 1 << 30


def keep_memory() -> None:
    """Have the C library keep what is freed for what is allocated next, up to a gigabyte at a time.

    By default glibc hands large arrays back to the system as soon as they are freed, and has them anew, page by page
    and zeroed, a moment later: activations, gradients, views. On a CPU that can be a third of a training step. The
    price is that a process keeps the most memory that it ever needed. Where there is no glibc, nothing changes.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; Windows
        return
    set_option(_MMAP_THRESHOLD, _LARGE_BYTES)
    set_option(_TRIM_THRESHOLD, -1)  # never
