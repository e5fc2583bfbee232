"""Names of other libraries and slips of the pen: one sentence says what is meant here."""

import copy
import inspect
import pickle
import re
import subprocess
import sys
import traceback
from typing import Literal, get_args

import numpy as np
import pytest
from cnn_core.monitors import MEASURED
from mlp_cases import TWO, X, quick

import cnn_core
from cnn_core import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Cosine,
    Exponential,
    Huber,
    LeakyReLU,
    OneCycle,
    ReduceOnPlateau,
    RMSprop,
    StepDecay,
    _foreign,
    _typing,
    datasets,
    initializers,
    optimizers,
    schedules,
)

SCHEDULE = "must be a number or a schedule, got .*; the schedule is {0}: from cnn_core import {0}"


def refused(call, message, error=TypeError):
    """The call raises an error of one sentence that holds `message`."""
    with pytest.raises(error, match=message) as found:
        call()
    text = str(found.value)
    assert "\n" not in text and not re.search(r"\.\s|\.$", text.replace("...", "")), text


@pytest.mark.parametrize("given, meant", [
    ("hidden_layer_sizes", "it is called hidden here"), ("max_iter", "it is called epochs here"),
    ("n_epochs", "epochs"), ("num_epochs", "epochs"), ("lr", "it is called learning_rate here"),
    ("learning_rate_init", "learning_rate"), ("alpha", "is called l2 here"),
    ("weight_decay", r"MLP\(l2=0.001\), .*AdamW\(weight_decay=0.01\)"),
    ("solver", "it is called optimizer here"), ("tolerance", "it is called tol here"),
    ("threshold", r"min_delta=1e-4"),
    ("n_iter_no_change", r"early_stopping=True, patience=10"), ("seed", "random_state"),
    ("random_seed", "random_state"), ("n_jobs", "n_threads"), ("num_threads", "n_threads"),
    ("device", "on the CPU"), ("verbosity", "verbose"), ("momentum", r"SGD\(momentum=0.9\)"),
    ("beta_1", r"Adam\(beta1=0.9"), ("beta_2", r"beta2=0.999"), ("epsilon", r"Adam\(epsilon"),
    ("nesterovs_momentum", r"SGD\(momentum=0.9, nesterov=True\)"),
    ("early_stopping_rounds", "patience"),
    ("validation_split", r"early_stopping=True, validation_fraction=0.1"),
    ("batch", "batch_size"), ("units", "hidden"), ("layers", "hidden"), ("neurons", "hidden"),
    ("dropout_rate", "it is called dropout here"), ("activation_fn", "activation"),
    ("optimizer_kwargs", r"Adam\(beta1=0.8\)"), ("scaler", "scale_inputs='standard'"),
    ("metric", "it is called monitor here"), ("scoring", "it is called monitor here"),
    ("mode", "a loss is watched for its lowest value"),
    ("hiden", r"did you mean 'hidden'\?"), ("learningrate", r"did you mean 'learning_rate'\?"),
    ("EPOCHS", r"did you mean 'epochs'\?"), ("zyx", "it takes hidden, activation, task"),
])  # fmt: skip
def test_unknown_parameters_of_mlp(given, meant):
    refused(lambda: MLP(**{given: 1}), f"^MLP has no parameter '{given}'; .*{meant}")
    refused(
        lambda: MLP().set_params(**{given: 1}),
        f"^unknown parameter '{given}'; .*{meant.replace('it takes', 'choose from')}",
        ValueError,
    )


@pytest.mark.parametrize("call, message", [
    (lambda: Adam(lr=0.01), "^Adam has no parameter 'lr'; it is called learning_rate here$"),
    (lambda: Adam(betas=(0.9, 0.99)), r"Adam\(beta1=0.9, beta2=0.999\)"),
    (lambda: Adam(eps=1e-8), "it is called epsilon here"),
    (lambda: Adam(beta_1=0.8), "it is called beta1 here"),
    (lambda: Adam(weight_decay=0.1), r"AdamW\(weight_decay=0.01\)"),
    (lambda: AdamW(amsgrad=True), r"Adam\(amsgrad=True\)"),
    (lambda: SGD(nesterovs_momentum=True), "it is called nesterov here"),
    (lambda: SGD(momentm=0.9), r"did you mean 'momentum'\?"),
    (lambda: SGD(eps=1e-8), "it takes learning_rate, momentum, nesterov"),
    (lambda: RMSprop(alpha=0.99), "it is called rho here"),
    (lambda: StepDecay(step_size=5), "it is called every here"),
    (lambda: StepDecay(gamma=0.1), "it is called drop here"),
    (lambda: Exponential(gamma=0.9), "it is called decay here"),
    (lambda: Cosine(T_max=100), r"spans the epochs of the fit: MLP\(epochs=100\)"),
    (lambda: Cosine(eta_min=0), "it is called final here"),
    (lambda: OneCycle(max_lr=0.1), "it is called initial here"),
    (lambda: ReduceOnPlateau(factor=0.5), "it is called drop here"),
    (lambda: LeakyReLU(alpha=0.1), "it is called negative_slope here"),
    (lambda: Huber(beta=2), "it is called delta here"),
    (lambda: initializers.He(gain=2), "it takes no parameters"),
])  # fmt: skip
def test_unknown_parameters_of_optimizers_schedules_and_the_like(call, message):
    refused(call, message)


@pytest.mark.parametrize("options, message", [
    *[(dict(loss=name), "'binary_crossentropy' .* 'sparse_categorical_crossentropy'")
      for name in ("log_loss", "cross_entropy", "nll", "CrossEntropy", "cross-entropy")],
    *[(dict(loss=name), "it is called 'mse' here")
      for name in ("squared_error", "squared_loss", "mean_squared_error")],
    *[(dict(loss=name), "it is called 'mae' here") for name in ("l1", "absolute_error")],
    (dict(activation="logistic"), "^unknown activation 'logistic'; it is called 'sigmoid' here$"),
    (dict(activation="linear"), "it is called 'identity' here"),
    (dict(activation="none"), "it is called 'identity' here"),
    (dict(activation="silu"), "it is called 'swish' here"),
    (dict(activation="ReLU"), r"did you mean 'relu'\?"),
    (dict(activation="LeakyReLU"), r"did you mean 'leaky_relu'\?"),
    (dict(output="linear"), "^unknown output 'linear'; it is called 'identity' here$"),
    (dict(optimizer="momentum"), r"import SGD, then optimizer=SGD\(momentum=0.9\)"),
    (dict(optimizer="adamax"), "there is none of that name"),
    (dict(optimizer="rms_prop"), r"did you mean 'rmsprop'\?"),
    (dict(optimizer="lbfgs-b"), "it is called 'lbfgs' here"),
    (dict(init="xavier"), "it is called 'glorot' here"),
    (dict(init="kaiming"), "it is called 'he' here"),
    (dict(init="glorot_uniform"), "it is called 'glorot' here"),
    (dict(init="he_normal"), "'he' draws from a uniform distribution of the same variance"),
    (dict(scale_inputs="StandardScaler"), "it is called 'standard' here"),
    (dict(task="multiclass"), "it is called 'classification' here"),
    (dict(backend="numpy"), "it is called 'native' here"),
    (dict(dtype="float16"), "dtype must be 'float32' or 'float64', got 'float16'"),
])  # fmt: skip
def test_unknown_values(options, message):
    refused(lambda: MLP(**options), message, ValueError)


@pytest.mark.parametrize("options, message", [
    (dict(activation=None), "got None; 'identity' is no activation"),
    (dict(output=None), "got None; 'identity' is no activation"),
    (dict(learning_rate="cosine"), SCHEDULE.format("Cosine")),
    (dict(learning_rate="constant"), "a number, or None .*, is a constant rate"),
    (dict(learning_rate="adaptive"), SCHEDULE.format("ReduceOnPlateau")),
    (dict(learning_rate="step"), SCHEDULE.format("StepDecay")),
    (dict(learning_rate="coslog"), SCHEDULE.format("Coslog")),
    (dict(learning_rate="rapid"), "got 'rapid'; schedules are Constant, Cosine, Coslog,"),
    (dict(learning_rate="plateau"), SCHEDULE.format("ReduceOnPlateau")),
    (dict(learning_rate="invscaling"), SCHEDULE.format("InverseTime")),
    (dict(learning_rate=Cosine), r"must be an object, Cosine\(\), got the class itself"),
])  # fmt: skip
def test_values_of_a_wrong_type(options, message):
    refused(lambda: MLP(**options), message)


@pytest.mark.parametrize("name", ["f4", "double", "float64", np.float32])
def test_dtypes_that_numpy_knows_are_taken(name):
    assert MLP(dtype=name).dtype == name


OF_MLP = r"^fit has no parameter '{0}'; it is a parameter of MLP: MLP\({0}=\.\.\.\) or model"


@pytest.mark.parametrize("call, message", [
    (lambda m: m.fit(X, TWO, epochs=5), OF_MLP.format("epochs")),
    (lambda m: m.fit(X, TWO, batch_size=5), OF_MLP.format("batch_size")),
    (lambda m: m.fit(X, TWO, class_weight={}), OF_MLP.format("class_weight")),
    (lambda m: m.fit(X, TWO, callbacks=[]), OF_MLP.format("callbacks")),
    (lambda m: m.fit(X, TWO, verbose=1), OF_MLP.format("verbose")),
    (lambda m: m.fit(X, TWO, n_epochs=5), r"it is epochs, a parameter of MLP: MLP\(epochs"),
    (lambda m: m.fit(X, TWO, momentum=0.9), r"MLP\(optimizer=SGD\(momentum=0.9\)\)"),
    (lambda m: m.fit(X, TWO, validation_split=0.2), r"validation_data=\(X_val, y_val\), or MLP"),
    (lambda m: m.fit(X, TWO, eval_set=(X, TWO)), r"validation_data=\(X_val, y_val\)$"),
    (lambda m: m.fit(X, TWO, X_val=X, y_val=TWO), r"validation_data=\(X_val, y_val\)$"),
    (lambda m: m.fit(X, TWO, sample_weights=TWO), "it is called sample_weight here"),
    (lambda m: m.fit(X, TWO, validation_date=(X, TWO)), r"did you mean 'validation_data'\?"),
    (lambda m: m.fit(X, TWO, zyx=1), "it takes X, y, sample_weight, validation_data"),
    (lambda m: m.partial_fit(X, TWO, epochs=2), "trains for one epoch: call it once for each"),
    (lambda m: m.partial_fit(X, TWO, lr=0.1), "it is learning_rate, a parameter of MLP"),
    (lambda m: m.score(X, TWO, n_jobs=5), "it is n_threads, a parameter of MLP"),
    (lambda m: m.score(X, TWO, verbose=0), "it prints nothing"),
    # Calls for one row are too short for a look at what else is given.
    (lambda m: m.predict(X, batch_size=5), "unexpected keyword argument 'batch_size'"),
    (lambda m: m.score(X, TWO, scoring="f1"), "what predict or predict_proba returns"),
    (lambda m: m.evaluate(X, TWO, batch_size=8), "all rows are computed together"),
])  # fmt: skip
def test_unknown_parameters_of_methods(call, message):
    model = MLP()
    refused(lambda: call(model), message)
    assert model._fitted is None


def snippets():
    """(hint, call) of each piece of code that a hint shows, and of all aliases."""
    tables = {**_foreign.KEYWORDS, **_foreign.VALUES, "names": _foreign.NAMES}
    for table in tables.values():
        for hint in set(table.values()):
            for code in re.findall(r"\b[A-Z]\w+\((?:[^()]|\([^()]*\))*\)", hint):
                yield hint, code


def test_the_code_in_every_hint_runs():
    known = {name: getattr(cnn_core, name) for name in cnn_core.__all__}
    codes = {code for _, code in snippets()}
    assert len(codes) > 20
    for code in codes:
        eval(code, dict(known))


def test_every_alias_is_something_that_there_is():
    parameters = {*MLP().get_params()}
    for word, hint in _foreign.KEYWORDS["MLP"].items():
        assert hint in parameters or not hint.isidentifier(), (word, hint)
        assert hint != word
    classes = {**vars(cnn_core), **vars(optimizers), **vars(schedules)}
    functions = {name: cls.__init__ for name, cls in classes.items() if isinstance(cls, type)}
    functions["split"] = datasets.split
    functions["BaseMLP"] = pytest.importorskip("cnn_core.sklearn").MLPClassifier.__init__
    for owner, table in _foreign.KEYWORDS.items():
        if owner not in ("MLP", "Optimizer", "Schedule"):
            function = functions[owner] if owner in functions else getattr(MLP, owner)
            known = {*inspect.signature(function).parameters}
            for word, hint in table.items():
                assert hint in known or not hint.isidentifier(), (owner, word, hint)
    literals = {
        "loss": _typing.Losses,
        "activation": _typing.Activations,
        "output": _typing.Activations,
        "optimizer": _typing.Optimizers,
        "init": _typing.Initializers,
        "scale_inputs": _typing.Scalings,
        "numeric_embedding": Literal["periodic"],
        "task": _typing.Tasks,
        "backend": _typing.Backends,
        "monitor": Literal[(*MEASURED, *pytest.importorskip("sklearn.metrics").get_scorer_names())],
    }
    assert set(literals) == set(_foreign.VALUES) - {"parameter", "learning_rate"}
    for kind, literal in literals.items():
        for word, hint in _foreign.VALUES[kind].items():
            assert word == word.lower().replace("-", "_") and word not in get_args(literal)
            assert hint in get_args(literal) or not hint.isidentifier(), (kind, word, hint)


def test_signatures_are_those_of_before_and_tracebacks_have_no_frame_more():
    assert [*inspect.signature(MLP).parameters] == [*MLP().get_params()]
    assert [*inspect.signature(Adam).parameters][:2] == ["learning_rate", "beta1"]
    assert str(inspect.signature(MLP.predict)) == "(self, X: 'ArrayLike') -> 'Labels'"
    assert [*inspect.signature(MLP().fit).parameters] == [
        "X", "y", "sample_weight", "validation_data", "checkpoint", "checkpoint_every", "ranks",
    ]  # fmt: skip
    with pytest.raises(ValueError) as found:
        MLP().fit(X, TWO[:9])
    frames = [frame.name for frame in traceback.extract_tb(found.value.__traceback__)]
    assert frames[1] == "fit" and frames[2] != "fit"
    with pytest.raises(TypeError) as found:
        MLP(lr=1)
    assert len(traceback.extract_tb(found.value.__traceback__)) == 3


def test_subclasses_with_keywords_of_their_own_copies_and_pickles_work():
    class Fixed(MLP):
        def fit(self, X, y, epochs):
            return super().fit(X, y, epochs=epochs)

    class Mine(schedules.Schedule):
        def __init__(self, gamma):
            self.gamma, self.initial = gamma, None

    class Any(schedules.Schedule):
        def __init__(self, **options):
            self.initial, self.options = None, options

    assert Any(lr=3).options == {"lr": 3} and Mine(gamma=2).gamma == 2
    refused(lambda: Fixed(3).fit(X, TWO, epochs=3), OF_MLP.format("epochs"))
    model = quick(epochs=1, optimizer=Adam(beta1=0.5)).fit(X, TWO)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert other.optimizer == model.optimizer and other.epochs == 1


def test_positional_mistakes_are_pythons_own():
    with pytest.raises(TypeError, match="positional"):
        MLP(3, "relu", "adam")


# The package


def test_schedules_stand_beside_the_optimizers():
    for name in ("Constant", "Cosine", "Exponential", "InverseTime", "OneCycle",
                 "ReduceOnPlateau", "StepDecay", "Warmup"):  # fmt: skip
        assert getattr(cnn_core, name) is getattr(schedules, name) and name in cnn_core.__all__


@pytest.mark.parametrize("name, message", [
    ("EarlyStopping", r"MLP\(early_stopping=True, patience=10\)"),
    ("Dense", r"MLP\(hidden=\(64, 32\)\)"), ("Sequential", r"MLP\(hidden=\(64, 32\)\)"),
    ("Dropout", r"MLP\(dropout=0.2\)"), ("Conv2d", "multilayer perceptrons only"),
    ("ReLU", r"MLP\(activation='relu'\)"), ("CosineAnnealingLR", "the schedule is Cosine"),
])  # fmt: skip
def test_names_that_there_are_not_say_what_to_use(name, message):
    refused(
        lambda: getattr(cnn_core, name), f"^cnn_core has no {name}; .*{message}", AttributeError
    )
    refused(lambda: exec(f"from cnn_core import {name}"), message, ImportError)
    assert not hasattr(cnn_core, name)


def test_other_names_are_errors_of_pythons_own():
    with pytest.raises(AttributeError, match="has no attribute 'Adm'") as found:
        cnn_core.Adm
    assert found.value.name == "Adm" and found.value.obj is cnn_core
    with pytest.raises(ImportError, match="cannot import name 'Adm'"):
        exec("from cnn_core import Adm")


def test_the_tables_are_not_read_before_something_is_refused():
    code = (
        "import sys, numpy as np, cnn_core; cnn_core.MLP(4, optimizer=cnn_core.Adam(), epochs=1)"
        ".fit(np.eye(4), [0, 1, 0, 1]); assert 'cnn_core._foreign' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Attributes, and keywords of the drop-in


@pytest.mark.parametrize("name, meant", [
    ("coefs_", "weights_, W of each layer"), ("intercepts_", "biases_"),
    ("loss_curve_", r"history_\['loss'\]"), ("n_iter_", "it is called n_epochs_ here"),
    ("history", "it is called history_ here"), ("state_dict", "save writes"),
    ("feature_importances_", r"importances\(X, y\) measures"),
])  # fmt: skip
def test_an_attribute_of_another_library_is_named_as_here(name, meant):
    model = quick(epochs=1).fit(X, TWO)
    refused(lambda: getattr(model, name), meant, AttributeError)
    assert not hasattr(model, name) and not hasattr(cnn_core.MLPClassifier(), name)
    assert not hasattr(MLP, name) and name not in dir(model)


def test_attributes_that_are_not_there_yet_keep_their_own_words():
    with pytest.raises(cnn_core.NotFittedError, match="not fitted yet"):
        MLP().weights_
    with pytest.raises(AttributeError, match="a regression model has no classes_"):
        quick(epochs=1).fit(X, X[:, 0]).classes_
    copy.deepcopy(pickle.loads(pickle.dumps(MLP())))


@pytest.mark.parametrize("name, meant", [
    ("epochs", "max_iter"), ("hidden", "hidden_layer_sizes"), ("optimizer", "solver"),
    ("l2", "alpha"), ("patience", "n_iter_no_change"), ("clip_norm", "a parameter of cnn_core.MLP"),
    ("alfa", "did you mean 'alpha'"),
])  # fmt: skip
def test_the_drop_in_has_the_names_of_scikit_learn(name, meant):
    sklearn = pytest.importorskip("cnn_core.sklearn")
    for kind in (sklearn.MLPClassifier, sklearn.MLPRegressor):
        refused(lambda kind=kind: kind(**{name: 1}), f"{kind.__name__} has no .*{meant}")


def test_what_was_meant_by_no_scaling_weights_and_epoch_is_said():
    for name in ("scale_inputs", "scale_targets"):
        for value in (False, True):
            refused(lambda: MLP(**{name: value}), f"{name} must be .* or None to scale nothing")
    model = quick(epochs=1).fit(X, TWO)
    refused(lambda: model.evaluate(X, TWO, sample_weight=TWO), "score takes it")
    refused(lambda: model.fit(X, TWO, epoch=3), "it is epochs, a parameter of MLP")
    refused(lambda: MLP(gradient_clip=1.0), "it is called clip_norm here")


@pytest.mark.parametrize("name, here", [
    ("on_epoch_end", "after_epoch"), ("on_train_begin", "before_fit"), ("on_batch_end", "after_st"),
])  # fmt: skip
def test_a_callback_of_another_library_is_refused(name, here):
    kind = type("Stop", (cnn_core.Callback,), {name: lambda *_: None})
    refused(lambda: quick(callbacks=[kind()]).fit(X, TWO), f"Stop has {name}, .* called {here}")
    both = {name: lambda *_: None}
    both |= {one: lambda *_: None for one in ("after_epoch", "before_fit", "after_step")}
    quick(epochs=1, callbacks=[type("Both", (cnn_core.Callback,), both)()]).fit(X, TWO)


def test_the_classes_of_a_model_cannot_be_written_to():
    model = quick(epochs=1).fit(X, TWO)
    with pytest.raises(ValueError, match="read-only"):
        model.classes_[0] = 7
    model.history_["loss"][0] = 7
    assert model.history_["loss"][0] != 7


def test_texts_of_numbers_are_to_be_converted():
    with pytest.raises(TypeError, match="the text '0.125' .*astype.float. makes numbers"):
        MLP().fit([["0.125"], ["2"]], [0, 1])
    with pytest.raises(TypeError, match="get_dummies"):
        MLP().fit([["0.125"], ["b"]], [0, 1])


@pytest.mark.parametrize("gap", ["nan", "None", "<NA>"])
def test_the_text_of_a_gap_is_warned_of(gap):
    y = np.where(np.arange(len(X)) == 7, gap, np.array(["a", "b"])[TWO])
    with pytest.warns(UserWarning, match=f"the text '{gap}' beside other classes"):
        quick(epochs=1).fit(X, y)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(classes=[0, 1]), r"fit finds the classes in y, and partial_fit takes all that will"),
        (dict(hidden_layers=2), r"hidden lists the width of each layer: MLP\(hidden=\(64, 64\)\)"),
        (dict(layers=(8, 8)), r"hidden lists the width of each layer"),
        (dict(n_hidden=2), r"hidden lists the width of each layer"),
        (dict(optimizer="radam"), r"none of that name, and 'adam' and 'nadam' are the nearest"),
        (dict(optimizer="Lookahead"), r"none of that name, and 'adam' and 'nadam' are the nearest"),
        (dict(activation="sin"), r"none is periodic, and columns such as np.sin"),
        (dict(activation="swiglu"), r"no unit is gated, and 'swish' and 'gelu' are the nearest"),
        (dict(activation="GLU"), r"no unit is gated"),
        (dict(output="softsign"), r"none of that name, and 'tanh' is the nearest"),
        (dict(activation="prelu"), r"'leaky_relu' is the nearest"),
        (dict(activation="ReLU6"), r"'relu' is the nearest"),
        (dict(output="log_softmax"), r"outputs are probabilities here"),
    ],
    ids=str,
)
def test_what_there_is_not_names_what_is_nearest(options, words):
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        MLP(**options)
    assert "did you mean" not in str(caught.value)


def test_the_task_of_a_class_is_said_by_its_name():
    words = "the class says the task: MLPClassifier or MLPRegressor, and MLP"
    for call in (
        lambda: cnn_core.MLPClassifier(task="regression"),
        lambda: cnn_core.MLPRegressor(task="regression"),
        lambda: cnn_core.MLPRegressor().set_params(task="classification"),
        lambda: cnn_core.MLPClassifier().fit(X, TWO, task="regression"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            call()
    with pytest.raises(TypeError, match="it is a parameter of MLP: MLP.task=...."):
        MLP().fit(X, TWO, task="regression")


def test_errors_of_calls_say_MLP():
    model = quick(epochs=1).fit(X, TWO)
    for call in (model.score, model.predict, model.trace, model.loss_and_gradient):
        with pytest.raises(
            TypeError, match=rf"^MLP.{call.__name__}\(\) missing 1 required"
        ) as caught:
            call(*([X] if call.__name__ != "predict" else []))
        assert "Predictions" not in str(caught.value)
    for method in (MLP.score, MLP.summary, MLP.initialize, cnn_core.MLPRegressor.predict):
        assert pickle.loads(pickle.dumps(method)) is method


def test_the_drop_in_says_what_MLP_alone_has():
    estimator = pytest.importorskip("cnn_core.sklearn").MLPRegressor()
    for name, words in {
        "evaluate": "cnn_core.MLP, MLPClassifier and MLPRegressor have it",
        "summary": "cnn_core.MLP, MLPClassifier and MLPRegressor have it",
        "predict_one": "cnn_core.MLP, MLPClassifier and MLPRegressor have it",
        "profile": "cnn_core.MLP, MLPClassifier and MLPRegressor have it",
        "history_": "loss_curve_ and validation_scores_ have the numbers of each epoch",
        "weights_": "coefs_ has W of each layer",
        "n_epochs_": "it is called n_iter_ here",
    }.items():
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'; {words}"):
            getattr(estimator, name)
        assert not hasattr(estimator, name) and name not in dir(estimator)
    estimator.history_ = [1]
    assert estimator.history_ == [1]
