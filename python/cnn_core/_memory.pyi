from typing import Any, final

from numpy.typing import DTypeLike, NDArray

ALIGNMENT: int
fail_after: int | None

def aligned_zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]: ...

@final
class Arena: ...
