"""The one allocator of the native core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64

#: Tests set this to n >= 1 to make the n-th allocation from now on fail; None in normal use.
fail_after: int | None = None


def aligned_zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zero-filled C-contiguous array whose data begin on a cache line.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype-like

    Returns
    -------
    ndarray

    Raises
    ------
    MemoryError
        If the memory cannot be had, also where the size is beyond what can be addressed.
    """
    global fail_after
    dtype = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    size = dtype.itemsize
    for n in shape:
        size *= n
    if fail_after is not None:
        fail_after -= 1
        if fail_after == 0:
            fail_after = None
            raise MemoryError("an allocation failed on purpose")
    try:
        raw = np.zeros(size + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise MemoryError(
            f"cannot allocate {size:,} bytes for an array of shape {shape} and {dtype}"
        ) from None
    offset = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[offset : offset + size].view(dtype).reshape(shape)
