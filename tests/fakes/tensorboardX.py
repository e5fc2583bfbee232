"""As the package of the name: a writer is told numbers and histograms."""

import numpy as np
from _told import Told


class SummaryWriter(Told):
    def __init__(self, logdir=None, comment=""):
        super().__init__()

    def add_scalar(self, tag, scalar_value, global_step=None, walltime=None):
        self.metrics({tag: scalar_value}, global_step)

    def add_histogram(self, tag, values, global_step=None, bins="tensorflow"):
        assert np.asarray(values).dtype.kind == "f" and isinstance(global_step, int)
