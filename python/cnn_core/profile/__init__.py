"""`MLP.profile` and ``cnn-core profile``: where the time of training goes."""

from cnn_core.profile.measure import check, measure
from cnn_core.profile.report import Profile
from cnn_core.profile.workload import workload_of

__all__ = ["Profile", "check", "measure", "workload_of"]
