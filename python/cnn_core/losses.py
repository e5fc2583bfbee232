"""Losses whose number is chosen: objects to give in the place of a name. The functions are
kernels/losses.inc.h."""

from cnn_core._checks import check_number
from cnn_core._losses import names
from cnn_core._names import choose
from cnn_core._settings import Settings


class Huber(Settings):
    """``e^2 / 2`` for errors up to `delta`, ``delta (|e| - delta / 2)`` beyond: Huber 1964, "Robust
    estimation of a location parameter".

    Parameters
    ----------
    delta : float, default 1
        Above 0, in the units that the network learns (`scale_targets`).
    """

    name = "huber"
    delta: float

    def __init__(self, delta: float = 1.0) -> None:
        self._set(delta=delta)

    def _validate(self) -> None:
        check_number("Huber: delta", self.delta, 0, None, above=True)


def get_loss(loss: str | Huber) -> tuple[str, float | None]:
    """The name in the kernels' table and the number that a user means.

    Parameters
    ----------
    loss : str or Huber

    Returns
    -------
    name : str
    loss_param : float or None
        None: that of the literature.
    """
    if isinstance(loss, Huber):
        return loss.name, float(loss.delta)
    return names()[choose("loss", loss, names())], None
