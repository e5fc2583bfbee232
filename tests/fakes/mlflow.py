"""As the package of the name: runs are told parameters, metrics and files."""

from pathlib import Path

from _told import Told

_active = None


class ActiveRun(Told):
    def __exit__(self, *error):
        global _active
        _active = None
        super().__exit__(*error)


def start_run(run_id=None, experiment_id=None, run_name=None):
    global _active
    _active = ActiveRun()
    return _active


def log_params(params, synchronous=None, run_id=None):
    assert _active and all(isinstance(name, str) for name in params)


def log_metrics(metrics, step=None, synchronous=None, run_id=None, timestamp=None):
    _active.metrics(metrics, step)


def log_artifact(local_path, artifact_path=None, run_id=None):
    assert _active and Path(local_path).is_file()
