"""Networks for tables that need no tuning.

`estimator` has `TabularMLP`, `recipe` the MLP that it stands for, `rows` what it reads, `training`
how its members are trained.
"""

from cnn_core.tabular.estimator import TabularMLP

__all__ = ["TabularMLP"]
