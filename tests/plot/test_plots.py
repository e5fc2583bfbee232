"""`cnn_core.plot`: what each picture shows, and that it leaves nothing behind."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib").use("Agg")

from cnn_core.plot._style import short, shortened
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cnn_core import MLP, Ensemble, NotFittedError, PeriodicEmbedding, TabularMLP, plot

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(90, 2))
SIDES = np.array(["left", "middle", "right"])[np.digitize(POINTS[:, 0], (-0.4, 0.4))]
PIXELS = RNG.normal(size=(60, 12))
N = 80
TABLE = {
    "size": np.linspace(0, 1, N),
    "kind": np.array(["a", "b", "c", "c"] * (N // 4)),
    "a name that is far too long for an axis": RNG.normal(size=N),
}
PRICE = (
    3 * TABLE["size"] - TABLE["a name that is far too long for an axis"] + (TABLE["kind"] == "a")
)


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def path():
    return plot.Path()


@pytest.fixture(scope="module")
def sides(path):
    model = MLP(
        (4, 3), "tanh", epochs=12, learning_rate=0.05, early_stopping=True, patience=3,
        random_state=0, callbacks=path,
    )  # fmt: skip
    return model.fit(POINTS, SIDES)


@pytest.fixture(scope="module")
def prices():
    model = MLP(6, columns="auto", epochs=60, learning_rate=0.03, random_state=0)
    return model.fit(TABLE, PRICE)


@pytest.fixture(scope="module")
def pixels():
    return MLP(70, epochs=1, random_state=0).fit(PIXELS, PIXELS[:, 0])


@pytest.fixture(scope="module")
def every(sides, prices, pixels, path):
    """A call of each function, with the Axes to draw into."""
    profile = sides.profile(POINTS, SIDES, seconds=0.01)
    return {
        "activations": lambda ax: plot.activations(ax=ax),
        "confusion_matrix": lambda ax: plot.confusion_matrix(sides, POINTS, SIDES, ax=ax),
        "decision_regions": lambda ax: plot.decision_regions(sides, POINTS, SIDES, ax=ax),
        "descent": lambda ax: plot.descent(sides, POINTS, SIDES, path, ax=ax),
        "first_layer_weights": lambda ax: plot.first_layer_weights(pixels, shape=(3, 4), ax=ax),
        "images": lambda ax: plot.images(PIXELS, shape=(3, 4), ax=ax),
        "importances": lambda ax: plot.importances(prices, TABLE, PRICE, ax=ax),
        "layers": lambda ax: plot.layers(sides, POINTS, SIDES, ax=ax),
        "learning_curves": lambda ax: plot.learning_curves(sides, ax=ax),
        "network": lambda ax: plot.network(sides, ax=ax),
        "predicted_against_true": lambda ax: plot.predicted_against_true(
            prices, TABLE, PRICE, ax=ax
        ),
        "profile": lambda ax: plot.profile(profile, ax=ax),
        "responses": lambda ax: plot.responses(prices, TABLE, "size", ax=ax),
    }


def texts(ax):
    return [one.get_text() for one in ax.texts]


def ticks(axis):
    return [one.get_text() for one in axis.get_ticklabels()]


def title(ax):
    return ax.get_title(loc="left")


@pytest.mark.parametrize("name", sorted({*plot.__all__} - {"Path"}))
def test_a_picture_is_drawn_into_the_axes_it_is_given_and_pyplot_knows_nothing_of_it(every, name):
    figure = Figure(figsize=(5, 4))
    ax = figure.add_axes((0.2, 0.2, 0.6, 0.6))
    inside = ax.get_position()
    assert every[name](ax) is ax
    assert pyplot.get_fignums() == []
    figure.savefig(io.BytesIO(), format="png", dpi=20)  # warnings are errors
    parts = [one.get_position() for one in figure.axes if one.get_label() != "<colorbar>"]
    assert min(one.x0 for one in parts) >= inside.x0 - 1e-9
    assert max(one.y1 for one in parts) <= inside.y1 + 1e-9


@pytest.mark.parametrize("name", sorted({*plot.__all__} - {"Path"}))
def test_without_axes_there_is_a_figure_with_a_title_in_which_nothing_is_cut_off(every, name):
    ax = every[name](None)
    figure = ax.figure
    assert isinstance(ax, Axes) and pyplot.get_fignums() == [1] and title(ax)
    figure.savefig(io.BytesIO(), format="png", dpi=50)
    box, whole = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.05 and box.y0 > -0.05
    assert box.x1 < whole[0] + 0.05 and box.y1 < whole[1] + 0.05


def test_every_function_says_without_matplotlib_what_is_missing(every, monkeypatch):
    for name in [one for one in sys.modules if one.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    for call in every.values():
        with pytest.raises(ImportError, match="needs matplotlib, the extra 'plot'"):
            call(None)


def test_what_is_no_axes_is_refused(every):
    for call in every.values():
        with pytest.raises(TypeError, match="ax must be an Axes of matplotlib, got 3"):
            call(3)


def test_learning_curves_are_the_history_with_the_chosen_epoch_and_the_rate_below(sides):
    ax = plot.learning_curves(sides)
    below = ax.figure.axes[1]
    history = sides.history_
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert list(lines["training rows"]) == history["loss"]
    assert list(lines["validation rows"]) == history["val_loss"]
    best = sides.best_epoch_
    assert ax.lines[2].get_xdata()[0] == best and f"those of epoch {best}" in title(ax)
    assert list(below.lines[0].get_ydata()) == history["learning_rate"]
    assert below.get_position().y1 < ax.get_position().y0
    assert len({line.get_linestyle() for line in ax.lines}) == 3


def test_the_curves_of_a_stream_whose_first_epochs_are_forgotten_end_with_the_last():
    model = MLP(2, random_state=0, step_history=False)
    for _ in range(3):
        model.partial_fit(POINTS[:20], POINTS[:20, 1])
    assert list(plot.learning_curves(model).lines[0].get_xdata()) == [1, 2, 3]


def test_several_networks_have_a_line_each():
    models = [MLP(2, epochs=3 + k, random_state=k).fit(POINTS, SIDES) for k in range(2)]
    ax = plot.learning_curves(Ensemble(models))
    drawn = [list(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) > 1]
    assert drawn == [one.history_["loss"] for one in models]
    assert title(ax) == "Loss of 2 networks"


def test_a_small_network_has_a_circle_a_neuron_and_a_line_a_weight(sides):
    ax = plot.network(sides)
    circles = [one.get_offsets() for one in ax.collections if not isinstance(one, LineCollection)]
    assert [len(one) for one in circles] == [2, 4, 3, 3]
    positive, negative = [one for one in ax.collections if isinstance(one, LineCollection)][:2]
    W = sides.weights_[0]
    assert len(positive.get_segments()) == (W > 0).sum()
    assert len(negative.get_segments()) == (W < 0).sum()
    assert positive.get_linestyle() != negative.get_linestyle()
    widest = np.concatenate([positive.get_linewidths(), negative.get_linewidths()])
    assert np.isclose(widest.max(), 2.8)
    assert {"left", "middle", "right", "0", "1"} <= set(texts(ax))
    assert title(ax) == "2-4-3-3: 39 parameters"


def test_a_layer_may_have_no_weight_on_one_side_of_0():
    W = [([[1.0, 2.0]], [0.0]), ([[0.0]], [0.0])]
    ax = plot.network(MLP(1, epochs=0, init=W).fit(POINTS, POINTS[:, 0]))
    lines = [one for one in ax.collections if isinstance(one, LineCollection)]
    assert [len(one.get_segments()) for one in lines] == [2]


def test_an_untrained_model_has_its_network_and_rows_but_no_curves():
    model = MLP(3, epochs=0, random_state=0).fit(POINTS, POINTS[:, 0])
    (network,) = model.plot()
    assert title(network) == "2-3-1: 13 parameters"
    (judged,) = model.plot(POINTS, POINTS[:, 0])
    assert "R²" in title(judged)
    with pytest.raises(ValueError, match="has been trained for an epoch"):
        plot.learning_curves(model)
    with pytest.raises(ValueError, match="X and y where networks are untrained"):
        Ensemble([model]).plot()


def test_a_large_network_has_boxes(pixels):
    ax = plot.network(pixels)
    assert len(ax.patches) == 3 and not ax.collections and "70 x 12" in texts(ax)


def test_weights_are_images_the_longest_first(pixels):
    ax = plot.first_layer_weights(pixels, shape=(3, 4))
    image = ax.images[0].get_array()
    W = pixels.weights_[0]
    longest = W[np.argmax((W**2).sum(axis=1))].reshape(3, 4)
    assert (image[1:4, 1:5] == longest).all()
    assert image.mask[0].all() and ax.images[0].get_clim() == (-abs(W).max(), abs(W).max())
    assert "70 neurons" in title(ax) and "64 longest" in title(ax)


def test_weights_of_a_table_are_columns_by_neurons(prices):
    ax = plot.first_layer_weights(prices)
    W = prices.weights_[0]
    assert (ax.images[0].get_array() == W.T).all()
    assert ticks(ax.yaxis) == [
        "size",
        "kind=a",
        "kind=b",
        "kind=c",
        short("a name that is far too long for an axis"),
    ]
    assert ticks(ax.xaxis) == ["0", "1", "2", "3", "4", "5"]
    assert title(ax) == "Weights of 5 inputs\nto 6 neurons"


@pytest.mark.parametrize("names, images", [
    (None, True), ([f"pixel{k}" for k in range(25)], True), ([*"abcdefghijklmnopqrstuvwxy"], False),
])  # fmt: skip
def test_a_square_of_features_without_names_of_their_own_is_an_image(names, images):
    X = np.random.default_rng(0).normal(size=(20, 25))
    rows = X if names is None else dict(zip(names, X.T))
    columns = "auto" if names else None
    model = MLP(70, columns=columns, epochs=1, random_state=0).fit(rows, X[:, 0])
    ax = plot.first_layer_weights(model)
    assert ax.axison != images
    if not images:
        W = model.weights_[0].astype(np.float64)
        most = names[int(np.argmax((W**2).sum(axis=0)))]
        assert ticks(ax.yaxis)[0] == most and len(ticks(ax.yaxis)) == 20
        assert title(ax).splitlines()[0] == "Weights of 25 inputs, the 20 longest"
        assert plot.first_layer_weights(model, shape=(5, 5)).axison is False


def test_the_inputs_of_embeddings_have_the_names_of_their_columns():
    model = MLP(
        3, columns={"kind": "embedding"}, numeric_embedding=PeriodicEmbedding(scale=1), epochs=1
    )
    names = ticks(plot.first_layer_weights(model.fit(TABLE, PRICE)).yaxis)
    assert len(names) == model._model().network.widths[0]
    assert {"size", "size ~1", "kind [1]"} <= {*names}


def test_images_have_labels_and_wrong_ones_a_frame():
    ax = plot.images(PIXELS[:3], [1, 2, 3], [1, 2, 7], shape=(3, 4))
    assert texts(ax) == ["1", "2", "7, not 3"]
    assert len(ax.patches) == 1 and title(ax) == "3 images, 1 predicted wrongly"
    assert texts(plot.images(PIXELS[:2], predicted=["a", "b"], shape=(3, 4))) == ["a", "b"]
    assert title(plot.images(np.zeros((70, 4)))) == "64 of 70 images"


def test_layers_have_the_quantiles_of_the_trace_and_the_share_of_dead_units():
    X = np.abs(POINTS)
    at_times, always = [1.0, -1.0], [-1.0, -1.0]  # at 0
    dead = [([at_times, at_times, always], [0.0, 0.0, 0.0]), ([[1.0, 1.0, 1.0]], [0.0])]
    model = MLP(3, epochs=0, init=dead, scale_inputs=None, scale_targets=None)
    model.fit(X, X[:, 0])
    ax = plot.layers(model, X, X[:, 0])
    z, a, delta = ax.figure.axes
    medians = [line.get_xdata()[0] for line in z.lines if line.get_linewidth() == 1.6]
    traced = model.trace(X, X[:, 0]).layers
    assert np.allclose(medians, [np.median(one.z) for one in traced])
    assert texts(a) == ["33 % dead"] and delta.get_xscale() == "log"
    assert ticks(z.yaxis) == ["hidden 1\nrelu", "output\nidentity"]


@pytest.mark.parametrize(
    "activation, steep, flat",  # z where the slope is above and below 5 % of the steepest
    [("sigmoid", 4.2, 4.6), ("tanh", 2.1, 2.3), ("hard_sigmoid", 2.9, 3.1)],
)
def test_layers_say_how_many_entries_are_saturated(activation, steep, flat):
    W = [([[steep, 0.0], [0.0, flat]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]
    model = MLP(2, activation, epochs=0, init=W, scale_inputs=None, scale_targets=None)
    X = np.where(POINTS > 0, 1.0, -1.0)
    ax = plot.layers(model.fit(X, POINTS[:, 0]), X, POINTS[:, 0])
    assert texts(ax.figure.axes[1]) == ["50 % saturated"]


def test_decision_regions_are_the_predictions_of_a_grid(sides):
    ax = plot.decision_regions(sides, POINTS, SIDES)
    mesh = ax.collections[0]
    x, y = mesh.get_coordinates()[100, 150]  # a corner of a cell
    classes = sides.classes_.tolist()
    there = {
        classes.index(label) for label in sides.predict([[x + d, y + d] for d in (-0.02, 0.02)])
    }
    assert mesh.get_array()[100, 150] in there
    score = sides.score(POINTS, SIDES)
    assert f"{100 * score:.1f} % right of 90 rows" in title(ax)
    labels = [one.get_text() for one in ax.get_legend().get_texts()]
    assert labels[:3] == classes and set(texts(ax)) == set(classes)
    marked = [one for one in ax.collections if one.get_label() == "wrong"]
    assert sum(len(one.get_offsets()) for one in marked) == round(90 * (1 - score))


def test_decision_regions_of_a_table_have_its_names():
    table = {"x": POINTS[:, 0], "y": POINTS[:, 1]}
    model = MLP(4, columns="auto", epochs=3, random_state=0).fit(table, SIDES == "left")
    ax = plot.decision_regions(model, table, SIDES == "left")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_a_confusion_matrix_counts_true_classes_down_and_predicted_ones_across(sides):
    ax = plot.confusion_matrix(sides, POINTS, SIDES)
    predicted = sides.predict(POINTS)
    for text in ax.texts:
        column, row = text.get_position()
        true, said = sides.classes_[row], sides.classes_[column]
        assert int(text.get_text()) == ((true == SIDES) & (predicted == said)).sum()
    assert sum(int(text) for text in texts(ax)) == 90
    assert ticks(ax.yaxis) == ["left", "middle", "right"]


def test_many_classes_are_the_most_frequent_and_others():
    y = np.r_[np.arange(30), np.arange(11, 30), np.arange(11, 30)]
    model = MLP((), task="classification", epochs=1, random_state=0).fit(np.eye(30)[y], y)
    ax = plot.confusion_matrix(model, np.eye(30)[y], y)
    assert ticks(ax.yaxis) == [*map(str, range(11, 30)), "others"]
    assert sum(int(text) for text in texts(ax)) == len(y) and "11 classes" in title(ax)


def test_long_names_are_shortened_and_stay_different():
    assert short("a" * 9 + "b" * 9, 18) == "a" * 9 + "b" * 9 and len(short("x" * 99)) == 18
    names = [f"a rather long name, {k} of a family" for k in range(3)]
    found = shortened([*names, "short"], 12)
    assert len(set(found)) == 4 and found[3] == "short" and max(map(len, found)) <= 12
    assert shortened(["same", "same"]) == ["0: same", "1: same"]


def test_several_labels_a_row_have_a_line_each():
    y = (POINTS > 0).astype(int)
    model = MLP((), epochs=2, random_state=0).fit(POINTS, y)
    ax = plot.confusion_matrix(model, POINTS, y)
    assert sum(int(text) for text in texts(ax)) == y.size
    wrong = sum(int(t.get_text()) for t in ax.texts if t.get_position()[0] in (1, 2))
    assert wrong == (model.predict(POINTS) != y).sum()
    assert len(ticks(ax.yaxis)) == 2


def test_predicted_stands_over_true_with_intervals_where_the_model_is_calibrated(prices):
    ax = plot.predicted_against_true(prices, TABLE, PRICE)
    points = ax.lines[0]
    assert np.array_equal(points.get_xdata(), PRICE)
    assert np.array_equal(points.get_ydata(), prices.predict(TABLE).astype(float))
    assert title(ax) == f"R² {prices.score(TABLE, PRICE):.3f} on 80 rows"

    calibrated = MLP(4, columns="auto", epochs=5, random_state=0).fit(TABLE, PRICE)
    calibrated.calibrate(TABLE, np.asarray(PRICE) + 0.01)
    ax = plot.predicted_against_true(calibrated, TABLE, PRICE, level=0.8)
    found = calibrated.predict_interval(TABLE, 0.8)
    bars = np.array([one[:, 1] for one in ax.collections[0].get_segments()])
    assert np.array_equal(bars, found)
    inside = ((found[:, 0] <= PRICE) & (found[:, 1] >= PRICE)).sum()
    drawn = {line.get_label(): len(line.get_xdata()) for line in ax.lines}
    assert drawn["y inside"] == inside and drawn["y outside"] == N - inside
    assert f"{100 * inside / N:.0f} % lie in their 80 % interval" in title(ax)


def test_of_many_rows_some_are_drawn_and_of_several_outputs_one():
    X = np.linspace(-1, 1, 5000)[:, None]
    model = MLP(2, epochs=1, random_state=0).fit(X, np.c_[X, -X])
    ax = plot.predicted_against_true(model, X, np.c_[X, -X], output=1)
    assert len(ax.lines[0].get_xdata()) == 2000 and texts(ax) == ["2,000 of 5,000 rows"]
    assert ax.get_xlabel() == "true output 1" and ax.lines[0].get_xdata()[0] == 1


def test_importances_are_bars_in_their_order_and_show_which_way(prices):
    ax = plot.importances(prices, TABLE, PRICE)
    found = prices.importances(TABLE, PRICE)
    assert np.allclose([bar.get_width() for bar in ax.patches], found.values[found.order])
    assert ticks(ax.yaxis) == [short(found.names[k]) for k in found.order]
    looks = {found.names[k]: ax.patches[i] for i, k in enumerate(found.order)}
    assert to_hex(looks["size"].get_facecolor()) == "#0072b2"
    assert looks["a name that is far too long for an axis"].get_hatch() == "///"
    assert ax.get_xlabel().replace("\n", " ") == found.measure


def test_of_many_columns_the_most_important_are_drawn():
    X = RNG.normal(size=(60, 25))
    model = MLP((), epochs=2, random_state=0).fit(X, X[:, 3])
    ax = plot.importances(model, X, method="gradient")
    assert len(ax.patches) == 20 and "5 less important are left out" in title(ax)
    assert ticks(ax.yaxis)[0].startswith("column ")


def test_a_response_is_the_mean_of_the_predictions_with_the_column_changed(prices):
    ax = plot.responses(prices, TABLE, "size")
    mean = next(line for line in ax.lines if line.get_label() == "mean of all")
    at, height = mean.get_xdata()[7], mean.get_ydata()[7]
    changed = {**TABLE, "size": np.full(N, at)}
    assert np.isclose(height, prices.predict(changed).astype(float).mean())
    assert sum(len(line.get_xdata()) == 50 for line in ax.lines) == 51  # single rows, and the mean
    assert ax.get_xlabel() == "size" and ax.get_ylabel() == "prediction"


def test_the_response_to_a_category_has_a_place_for_each_the_most_frequent_first(prices):
    ax = plot.responses(prices, TABLE, "kind")
    assert ticks(ax.xaxis) == ["c", "a", "b"]
    mean = ax.lines[-1].get_ydata()
    for k, kind in enumerate("cab"):
        changed = {**TABLE, "kind": np.full(N, kind)}
        assert np.isclose(mean[k], prices.predict(changed).astype(float).mean())


def test_the_response_of_a_class_is_its_probability(sides):
    ax = plot.responses(sides, POINTS, 0, output="right")
    mean = ax.lines[-2].get_ydata()
    assert ax.get_ylabel() == "probability of right" and mean[-1] > mean[0]
    assert ax.get_xlabel() == "column 0"


def test_what_is_black_on_white_is_white_on_black(prices):
    with pyplot.style.context("dark_background"):
        ax = plot.responses(prices, TABLE, "size")
    assert (
        next(line for line in ax.lines if line.get_label() == "mean of all").get_color() == "white"
    )


def test_activations_have_f_solid_and_its_derivative_dashed():
    ax = plot.activations(("tanh", "relu", "step"))
    f, slope = ax.lines[2:4]
    z = f.get_xdata()
    assert np.allclose(f.get_ydata(), np.tanh(z)) and f.get_linestyle() == "-"
    assert np.allclose(slope.get_ydata(), 1 - np.tanh(z) ** 2) and slope.get_linestyle() == "--"
    assert [title(one) for one in ax.figure.axes] == ["tanh", "relu", "step"]


def test_the_descent_of_two_parameters_has_them_as_axes():
    x = POINTS[:, :1]
    path = plot.Path()
    model = MLP(
        (), optimizer="sgd", epochs=4, scale_inputs=None, scale_targets=None, callbacks=path,
        random_state=0,
    ).fit(x, 2 * x[:, 0] + 1)  # fmt: skip
    ax = plot.descent(model, x, 2 * x[:, 0] + 1, path)
    way = np.column_stack(ax.lines[1].get_data())
    assert np.allclose(way, np.array(path.parameters)) and len(way) == 4
    assert title(ax) == "Cost along the path of 4 points"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("parameter 0", "parameter 1")
    before = model.parameters_.copy()
    plot.descent(model, x, 2 * x[:, 0] + 1, path)
    assert np.array_equal(model.parameters_, before)


def test_the_plane_of_a_descent_holds_as_much_of_the_movement_as_any(sides, path):
    ax = plot.descent(sides, POINTS, SIDES, path)
    way = np.column_stack(ax.lines[1].get_data())
    moved = np.array(path.parameters) - path.parameters[-1]
    singular = np.linalg.svd(moved, compute_uv=False)
    assert np.isclose((way**2).sum(), (singular[:2] ** 2).sum())
    share = (singular[:2] ** 2).sum() / (singular**2).sum()
    assert f"the plane holds {100 * share:.0f} % of the movement" in title(ax)
    one, other = np.eye(len(moved[0]))[[3, 5]]
    ax = plot.descent(sides, POINTS, SIDES, path, directions=[2 * one, one + other])
    assert np.allclose(np.column_stack(ax.lines[1].get_data()), moved[:, [3, 5]])


def test_a_path_that_saw_no_epoch_is_refused(sides):
    with pytest.raises(ValueError, match=r"path has seen no epoch; .*callbacks=path"):
        plot.descent(sides, POINTS, SIDES, plot.Path())


def test_names_with_dollars_are_no_formulas_and_are_escaped_once():
    assert short("a$" * 30, 18) == "a$a$a$a$a…a$a$a$a$".replace("$", r"\$")
    table = {"$a_b": np.linspace(0, 1, N)}
    model = MLP(2, columns="auto", epochs=1, random_state=0).fit(table, PRICE)
    ax = plot.responses(model, table, "$a_b")
    assert ax.get_xlabel() == r"\$a_b" and r" by \$a_b," in title(ax)


def test_powers_of_ten_around_delta_have_labels(sides):
    ax = plot.layers(sides, POINTS, SIDES)
    ends = np.log10(ax.figure.axes[2].get_xlim())
    assert np.allclose(ends, np.round(ends)) and ends[1] - ends[0] >= 1
    assert not any(ax.figure.axes[2].xaxis.get_minor_formatter().format_ticks([2e-3, 5e-3]))


def test_the_profile_of_a_small_network_shows_no_time_as_zero(sides):
    ax = plot.profile(sides.profile(POINTS[:20], SIDES[:20], seconds=0.01))
    shown = [one.split()[0] for one in texts(ax) if one.endswith("ms")]
    assert len(shown) == 4 and all(float(one) > 0 for one in shown)


def test_the_profile_has_a_bar_a_phase(sides):
    found = sides.profile(POINTS, SIDES, seconds=0.01)
    ax = plot.profile(found)
    drawn = sum(bar.get_width() for bar in ax.patches)
    assert np.isclose(drawn, 1e3 * sum(row["seconds"] for row in found["phases"]))
    assert ax.get_xlabel() == "ms an epoch"


def test_plot_of_a_model_gives_the_two_pictures_that_matter(sides, prices):
    both = sides.plot(POINTS, SIDES)
    assert "Loss" in title(both[0]) and both[1].get_xlabel() == "predicted class"
    assert "R²" in title(prices.plot(TABLE, PRICE)[1])
    assert "parameters" in title(sides.plot()[1])
    tabular = TabularMLP(members=2, max_seconds=0.2, random_state=0).fit(TABLE, PRICE)
    curves, judged = tabular.plot(TABLE, PRICE)
    assert "2 networks" in title(curves) and "R²" in title(judged)
    assert len(tabular.plot()) == 1


def wrong(function, *arguments, error=ValueError, match, **keywords):
    return pytest.param(function, arguments, keywords, error, match, id=match[:40])


MODELS = {"sides", "prices", "pixels", "path"}


@pytest.mark.parametrize(
    "function, arguments, keywords, error, match",
    [
        wrong("learning_curves", MLP(), error=NotFittedError, match="not fitted yet"),
        wrong("learning_curves", 3, error=TypeError, match="must be a fitted MLP"),
        wrong("network", "sides", max_neurons=0, match="max_neurons must be a whole number"),
        wrong("first_layer_weights", "pixels", shape=(3, 5), match="images of 12 pixels, got"),
        wrong("images", PIXELS[0], match="must have rows of pixels"),
        wrong("images", PIXELS, [1], shape=(3, 4), match="y must have a label for each of the 60"),
        wrong("decision_regions", "prices", TABLE, PRICE, match="is for classification, but"),
        wrong("decision_regions", "sides", PIXELS, SIDES, match="two features, and X has 12"),
        wrong("confusion_matrix", "prices", TABLE, PRICE, match="is for classifiers"),
        wrong("predicted_against_true", "sides", POINTS, SIDES, match="is for regression, but"),
        wrong("predicted_against_true", "prices", TABLE, PRICE, output=1, match="to 0, got 1"),
        wrong("importances", "sides", POINTS, match="compare predictions with y"),
        wrong("responses", "prices", TABLE, "sise", match="no column 'sise'; it was fitted to 'si"),
        wrong("responses", "sides", POINTS, 2, output="left", match="no column 2; it was fitted"),
        wrong("responses", "sides", POINTS, 0, match="output must be the class that is meant"),
        wrong("responses", "prices", {"size": [1.0]}, "size", match="X has no columns 'kind'"),
        wrong("activations", (), match="one name at least"),
        wrong("activations", "softmax", match="softmax depends on all z"),
        wrong("descent", "sides", POINTS, SIDES, np.zeros((5, 3)), match="the 39 parameters"),
        wrong("descent", "sides", POINTS, SIDES, "path", directions=np.ones((2, 39)),
              match="not be parallel"),
        wrong("profile", {}, error=TypeError, match="what model.profile"),
    ],
)  # fmt: skip
def test_one_sentence_says_what_is_wrong(request, function, arguments, keywords, error, match):
    given = [
        request.getfixturevalue(one) if isinstance(one, str) and one in MODELS else one
        for one in arguments
    ]
    with pytest.raises(error, match=match):
        getattr(plot, function)(*given, **keywords)
    assert pyplot.get_fignums() == []


def test_one_network_is_asked_for_where_there_are_several():
    ensemble = Ensemble([MLP(2, epochs=1, random_state=0).fit(POINTS, SIDES)])
    with pytest.raises(TypeError, match="and Ensemble has several; give one of its models_"):
        plot.network(ensemble)
    with pytest.raises(ValueError, match="X without y"):
        ensemble.plot(POINTS)


ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_show_every_picture_that_its_script_draws():
    files = {one.name: one.stat().st_size for one in (ROOT / "docs" / "pictures").iterdir()}
    pages = {path.name: path.read_text() for path in (ROOT / "docs").rglob("*.md")}
    drawn = re.findall(r'yield\s+\(?\s*"(\w+)",', (ROOT / "docs" / "make_pictures.py").read_text())
    shown = re.findall(r"\((?:\.\./)?pictures/([^)]*)\)", "".join(pages.values()))
    assert set(shown) == set(files)
    assert sorted(files) == sorted(f"{name}.png" for name in drawn)
    assert sum(files.values()) < 600_000
    assert all(f"plot.{name}" in pages["plots.md"] for name in plot.__all__)
