"""What notebooks show: whole HTML without scripts, readable, escaped, and of bounded size."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from cnn_core.datasets import load_digits
from cnn_core.notebook import html

from cnn_core import MLP, Ensemble, TabularMLP

X, y = load_digits()
X, y = X[:300], y[:300]
EVIL = "<script>alert('x')</script> & \"more\""


class Page(HTMLParser):
    """Reads HTML as a tree; an element that is not closed, or closed twice, is an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self):
        return "\n".join(self.texts)


def trained(**options):
    return MLP(**dict(hidden=8, epochs=3, random_state=0) | options).fit(X, y)


def drop_in(fitted):
    estimators = pytest.importorskip("cnn_core.sklearn")
    model = estimators.MLPClassifier((8,), max_iter=5, tol=9.0, n_iter_no_change=2, random_state=0)
    return model.fit(X, y) if fitted else model


def of_table():
    rows = {"size": np.arange(60.0), EVIL: ["Bern", EVIL, "Rome"] * 20}
    return TabularMLP(members=2, random_state=0).fit(rows, [EVIL, "b"] * 30)


SHOWN = {
    "MLP": (trained, "softmax"),
    "unfitted": (lambda: MLP(9, epochs=7), "not fitted"),
    "untrained": (lambda: MLP(8, random_state=0).initialize(X, y), "none yet"),
    "summary": (lambda: trained().summary(X), "3 epochs"),
    "history": (lambda: trained().history_, "3 epochs"),
    "steps": (lambda: trained(step_history=True).step_history_, "30 steps"),
    "trace": (lambda: trained(activation="tanh").trace(X, y), "saturated"),
    "profile": (lambda: trained().profile(X, y, seconds=0.01), "plain Python"),
    "Ensemble": (lambda: Ensemble([trained(), trained(epochs=5)]), "of 2 models"),
    "TabularMLP": (of_table, EVIL),
    "drop-in": (lambda: drop_in(True), "softmax"),
    "drop-in, unfitted": (lambda: drop_in(False), "not fitted"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_whole_self_contained_and_named_for_all_readers(name):
    make, words = SHOWN[name]
    text = make()._repr_html_()
    page = Page(text)
    assert words in page.text and len(text) < 20_000
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|url\(|@import|javascript:|\son\w+=", text)
    assert page.tags[0][0] == "div" and page.tags[0][1]["aria-label"]
    for head in page.named("th"):
        assert head["scope"] in ("col", "row")
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in page.named("svg"))
    tables = page.named("table")
    assert len(tables) == sum(part.get("role") == "region" for part in page.named("div"))


def test_names_of_columns_classes_and_parameters_are_text():
    rows = {EVIL: np.arange(40.0), "b": [EVIL, "c"] * 20}
    model = MLP(4, columns="auto", epochs=1, class_weight={EVIL: 2.0, "other": 1.0}, random_state=0)
    text = model.fit(rows, [EVIL, "other"] * 20)._repr_html_()
    assert Page(text).text.count("<script>alert") >= 3 and "<script" not in text


def test_each_piece_shows_what_it_is_given_as_text():
    pieces = [
        html.card(EVIL),
        html.table([EVIL, EVIL], [(EVIL, EVIL)], caption=EVIL),
        html.facts([(EVIL, EVIL)]),
        html.note(EVIL),
        html.folded(EVIL, ""),
    ]
    for piece, times in zip(pieces, (1, 5, 2, 1, 1)):
        assert Page(piece).text.count(EVIL) == times and "<script" not in piece


@pytest.mark.slow
def test_size_does_not_grow_with_columns_classes_epochs_and_layers():
    rng = np.random.default_rng(0)
    wide = MLP(1, epochs=1, random_state=0, columns="auto", class_weight="balanced")
    columns = {f"column {i}": rng.normal(size=4) for i in range(10_000)}
    page = Page(wide.fit(columns, ["a", "b"] * 2)._repr_html_())
    assert "... 9,988 more" in page.text and "column 11" in page.text
    assert repr(wide.columns_).count("\n") == 59 and str(wide.columns_).count("\n") == 9_999
    labels = np.arange(10_000)
    weights = dict.fromkeys(range(10_000), 1.5)
    many = MLP(1, epochs=1, random_state=0, class_weight=weights, task="classification")
    text = many.fit(rng.normal(size=(10_000, 1)), labels)._repr_html_()
    assert "... 9,988 more" in Page(text).text and len(text) < 9_000
    assert len(repr(many)) < 300 and "class_weight={0: 1.5" in repr(many)
    long = MLP((), epochs=10_000, batch_size="full", learning_rate=1e-6, random_state=0)
    history = long.fit(X[:4], y[:4]).history_
    page = Page(history._repr_html_())
    assert "... 9,992 more" in page.text and len(page.named("tr")) == 1 + 9
    assert len(history._repr_html_()) < 10_000 and len(repr(history)) < 200
    deep = MLP((2,) * 60, epochs=1, random_state=0).fit(X, y)
    assert "... 42 more" in Page(deep._repr_html_()).text
    several = Ensemble([trained(epochs=1)] * 30)
    assert "... 21 more" in Page(several._repr_html_()).text
    assert "... 21 more" in repr(several) and repr(several).count("\n") == 11


@pytest.mark.parametrize("values", [
    [np.nan] * 4, [1.0, np.inf, np.nan, 2.0], [0.0, 0.0], [1e-300, 1e300], [3.0], [],
], ids=range(6))  # fmt: skip
def test_losses_that_are_no_numbers_are_left_out(values):
    from cnn_core.curves import Curves

    page = Page(Curves({"loss": values, "learning_rate": values})._repr_html_())
    assert all("nan" not in one.get("d", "") for one in page.named("path"))


def test_no_peak_of_a_long_training_is_lost():
    from cnn_core.curves import Curves

    values = [0.0] * 5000
    values[1234] = 7.0
    page = Page(Curves({"loss": values, "learning_rate": values})._repr_html_())
    way = page.named("path")[0]["d"]
    assert way.count("L") < 310 and " 8.0" in way and "7" in page.texts


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    digits = colour if len(colour) == 6 else "".join(2 * one for one in colour)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_logarithmic_axis_is_said():
    from cnn_core.notebook.curves import drawn

    for last, said in ((0.001, True), (0.5, False)):
        picture = drawn([1, 2], [("blue", [1.0, last])], "loss")
        assert ("logarithmic axis" in Page(picture).text) is said


def test_text_and_lines_stand_out_in_light_and_dark():
    light, dark = re.findall(r"--bg:#(\w+);--fg:#(\w+)", html._STYLE)
    blue, orange = re.search(r"--blue:#(\w+);--orange:#(\w+)", html._STYLE).groups()
    for background, text in (light, dark):
        assert contrast(background, text) >= 4.5
        # White and #1e1e1e are those of JupyterLab and VS Code.
        for page in (background, "ffffff", "1e1e1e"):
            assert min(contrast(page, blue), contrast(page, orange)) >= 3


def test_scikit_learns_diagram_has_the_models_as_its_parts():
    pytest.importorskip("cnn_core.sklearn")
    import sklearn
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for model in (drop_in(True), trained(), TabularMLP(members=2), drop_in(False)):
        text = make_pipeline(StandardScaler(), model)._repr_html_()
        assert type(model).__name__ in text and "StandardScaler" in text
        assert "cnn-core" not in text.replace("cnn-core.", "")
    model = drop_in(True)
    assert set(model._repr_mimebundle_()) == {"text/plain", "text/html"}
    with sklearn.config_context(display="text"):
        assert set(model._repr_mimebundle_()) == {"text/plain"}
        assert not hasattr(model, "_repr_html_")
