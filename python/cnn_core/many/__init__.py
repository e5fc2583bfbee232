"""Many networks trained on the same data: seeds, folds, grids, members of an ensemble."""

from cnn_core.many.fit import fit_many

__all__ = ["fit_many"]
