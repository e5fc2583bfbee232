"""What cnn_core raises and warns of beside the built-in exceptions."""

import functools
import sys


class NotFittedError(ValueError, AttributeError):
    """A method or attribute was used that exists only after ``fit``."""


class DivergenceWarning(UserWarning):
    """Training was stopped because the loss or a weight became NaN or infinite. The message names
    the likely cause: what in the learning rate, the features or the targets is far from what is
    usual."""


class ModelFormatError(ValueError):
    """A model file cannot be read: it is damaged, of another kind, or of a newer version. The
    message names the file, the place in it, and what is wrong there."""


def not_fitted(message: str) -> NotFittedError:
    """The error that there is no model yet; where scikit-learn is in use, also its own."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", None)
    kind = NotFittedError if theirs is None else _of_both(theirs)
    return kind(message)


@functools.cache
def _of_both(theirs: type[Exception]) -> type[NotFittedError]:
    return type("NotFittedError", (NotFittedError, theirs), {"__module__": __name__})
