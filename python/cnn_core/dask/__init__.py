"""Training and predicting on a Dask cluster; needs the packages of the extra ``dask``, which are
imported where they are used."""

from cnn_core.dask.estimator import DaskMLP
from cnn_core.dask.predict import predict
from cnn_core.dask.rounds import Nesterov

__all__ = ["DaskMLP", "Nesterov", "predict"]
