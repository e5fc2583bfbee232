from numpy import floating
from numpy.typing import ArrayLike, NDArray

from cnn_core._backprop import Backprop

def row_gradients(backprop: Backprop, X: ArrayLike, y: ArrayLike) -> NDArray[floating]: ...
