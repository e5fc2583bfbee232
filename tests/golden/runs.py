"""All golden runs, by name."""

from importlib.util import find_spec

from golden import continuing, embedded, options, paths  # noqa: F401, they fill the table
from golden.table import RUNS

__all__ = ["RUNS"]

if find_spec("sklearn"):
    from golden import scikit_learn  # noqa: F401
