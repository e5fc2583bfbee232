"""`MLP.profile` and ``cnn-core profile``: where the time of training goes."""

from cnn_core.profile.measure import check, measure
from cnn_core.profile.report import Profile
from cnn_core.profile.workload import Workload

__all__ = ["Profile", "Workload", "check", "measure"]
