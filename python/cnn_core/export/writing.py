"""What all parts of a header are written from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cnn_core.export.functions import Functions

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns
    from cnn_core.export.spread import Spread
    from cnn_core.export.training import Training
    from cnn_core.mean import MeanModel
    from cnn_core.model import Model


class Writing(NamedTuple):
    """A header that is being written.

    Parameters
    ----------
    name : str
        What its names begin with.
    model : Model or MeanModel
    functions, doubles : Functions
        Those of the dtype, and of float64.
    training : Training, optional
        How it goes on learning.
    spread : Spread, optional
        What is written beside predictions.
    whole : Model or MeanModel, optional
        What has been fitted, with all heads.
    """

    name: str
    model: Model | MeanModel
    functions: Functions
    doubles: Functions
    training: Training | None = None
    spread: Spread | None = None
    whole: Model | MeanModel | None = None

    @classmethod
    def of(
        cls,
        name: str,
        whole: Model | MeanModel,
        training: Training | None = None,
        spread: Spread | None = None,
    ) -> Writing:
        """One of what has been fitted."""
        model = of_predictions(whole)
        models = models_of(model)
        dtypes = {one.network.dtype for one in models}
        if len(dtypes) > 1:
            raise NotImplementedError(
                "export_c writes networks of one dtype, and the models of this ensemble have "
                "float32 and float64"
            )
        f64 = dtypes.pop().itemsize == 8
        functions = Functions(f"{name}_", f64)
        doubles = functions if f64 else Functions(f"{name}_f64_", True)
        return cls(name, model, functions, doubles, training, spread, whole)

    @property
    def NAME(self) -> str:
        """The name in capitals."""
        return self.name.upper()

    @property
    def f64(self) -> bool:
        return self.functions.f64

    @property
    def real(self) -> str:
        """The dtype in C."""
        return "double" if self.f64 else "float"

    @property
    def models(self) -> tuple[Model, ...]:
        """The networks: one, or those of a mean."""
        return models_of(self.model)

    @property
    def first(self) -> Model:
        """The one that says what all have alike."""
        return self.models[0]

    @property
    def is_mean(self) -> bool:
        return self.model is not self.first

    @property
    def members(self) -> list[tuple[str, Model]]:
        """Each network with what the names of its own tables begin with."""
        if not self.is_mean:
            return [(self.name, self.first)]
        return [(f"{self.name}_m{k + 1}", one) for k, one in enumerate(self.models)]

    @property
    def columns(self) -> Columns | None:
        return self.first.columns

    @property
    def x(self) -> str:
        """The parameter of functions that take a row."""
        return f"const {self.real} *x" if self.columns is None else f"const {self.name}_row *x"

    @property
    def given(self) -> str:
        """The type in C of the numbers of a row, before scaling."""
        return self.real if self.columns is None else "double"

    @property
    def numbers(self) -> str:
        """Where they stand."""
        return "x" if self.columns is None else "work->row"

    @property
    def read(self) -> str:
        """Where that stands which the first layer reads."""
        return "work->read" if self.is_mean else "work->b"

    @property
    def also_read(self) -> str:
        """What else the function that reads a row takes: vectors that are learned."""
        learns = self.training is not None and self.first.network.embeddings
        return ", work->p" if learns else ""


def models_of(model: Model | MeanModel) -> tuple[Model, ...]:
    """The networks of a model."""
    from cnn_core.mean import MeanModel

    return model.models if isinstance(model, MeanModel) else (model,)


def reads(model: Model) -> bool:
    """Whether the first layer reads anything but the numbers of a row as they are."""
    return model.scaling is not None or model.network.embeds or model.columns is not None


def of_predictions(model: Model | MeanModel) -> Model | MeanModel:
    """The same model with the outputs that `predict` gives alone: losses that learn a distribution
    have several a target."""
    from cnn_core._frozen import replace
    from cnn_core.model import Model

    if not isinstance(model, Model):
        return replace(model, models=tuple(map(of_predictions, model.models)))
    task, spec = model.task, model.network_spec
    if task.heads == 1:
        return model
    return replace(
        model,
        network=model.predicting,
        network_spec=replace(spec, widths=(*spec.widths[:-1], task.n_outputs)),
        task=replace(task, loss="mse", loss_param=None),
    )
