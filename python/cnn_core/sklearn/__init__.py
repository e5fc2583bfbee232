"""MLPClassifier and MLPRegressor of scikit-learn on the native core: change the import, and the
same model trains faster.

scikit-learn is needed here and nowhere else in the package: ``pip install 'scikit-learn>=1.7'``.
"""

from __future__ import annotations

try:
    from sklearn.utils.validation import validate_data  # noqa: F401, the youngest of all used here
except ImportError as error:
    raise ImportError(
        "cnn_core.sklearn needs scikit-learn, 1.7 or later: pip install 'scikit-learn>=1.7'"
    ) from error

import warnings
from typing import Any

from sklearn.utils.optimize import _check_optimize_result

from cnn_core.sklearn._base import BaseMLP
from cnn_core.sklearn._estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

# Python attributes a warning to the module whose code gives it. These two are here, so that a
# filter by module finds all warnings under the name that users import, whatever calls fit.


def _warn(message: str, category: type[Warning] = UserWarning) -> None:
    warnings.warn(message, category, stacklevel=1)


def _count_iterations(result: Any, max_iter: int) -> int:
    """How many SciPy's L-BFGS-B did, with scikit-learn's warning where it has not converged."""
    return int(_check_optimize_result("lbfgs", result, max_iter))


BaseMLP._warn = staticmethod(_warn)
BaseMLP._count_iterations = staticmethod(_count_iterations)

# Pickles name the class by the path that users import.
MLPClassifier.__module__ = MLPRegressor.__module__ = __name__
