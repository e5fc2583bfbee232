"""As the package of the name: a run is told its configuration, metrics and a summary."""

from _told import Told


class Run(Told):
    def __init__(self, config):
        super().__init__()
        self.config, self.summary = dict(config), {}

    def log(self, data, step=None, commit=None):
        self.metrics(data, step)


def init(
    entity=None, project=None, dir=None, id=None, name=None, notes=None, tags=None, config=None
):
    return Run(config)
