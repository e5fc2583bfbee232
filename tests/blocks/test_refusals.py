"""What MLP.fit says of blocks that cannot be trained on, and how it leaves the model."""

import numpy as np
import pytest
from block_cases import Again, cut, rows
from cnn_core.io import RowBlocks

from cnn_core import MLP, MLPRegressor

X, Y, _ = rows()
SMALL = {"block_rows": 128, "window": 4}


@pytest.mark.parametrize("given", [lambda: iter(cut((X, Y), 500)), lambda: (b for b in [(X, Y)])])
def test_what_can_be_iterated_over_once_is_refused_with_the_cure(given):
    with pytest.raises(TypeError, match="once only.*whose __iter__ begins anew"):
        MLP().fit(given())


def blocks_with(number, X=None, y=None, weights=None):
    blocks = cut((*rows()[:2],), 500)
    old = blocks[number]
    new = (old[0] if X is None else X, old[1] if y is None else y)
    blocks[number] = new if weights is None else (*new, weights)
    return blocks


def holed():
    part = X[1500:2000].copy()
    part[7, 2] = np.nan
    return part


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    "blocks, said",
    [
        (blocks_with(3, X[:500, :5]), r"block 3 \(from row 1,500 on\) has 5 columns, and block 0"),
        (blocks_with(3, y=Y[:499]), r"y of block 3 .* has 499 entries, and X has 500 rows"),
        (blocks_with(3, holed()), r"X of block 3 \(from row 1,500 on\) has nan at row 7, column 2"),
        (blocks_with(3, y=np.full(500, "a")), "y of block 3 .* all blocks must have the same kind"),
        (blocks_with(2, weights=np.ones(500)), r"block 2 .* has sample_weight, and block 0"),
        (blocks_with(2, X[0]), "X of block 2 .* must have two dimensions"),
        ([*cut((X, Y), 500)[:2], X], "block 2 .* is of type ndarray; each must be a pair"),
        ([({"a": X[:, 0]}, Y), ({"b": X[:, 0]}, Y)], "block 1 .* no column 'a' and the column 'b'"),
        ([({"a": X[:, 0]}, Y), (X, Y)], "block 1 .* is an array, and block 0 .* is a table"),
    ],
)  # fmt: skip
def test_a_block_unlike_the_others_is_named(blocks, said, listed):
    model = MLPRegressor(epochs=1)
    given = RowBlocks(blocks if listed else Again(blocks), **SMALL)
    with pytest.raises((ValueError, TypeError), match=said):
        model.fit(given)
    assert not hasattr(model, "n_epochs_") or not model.n_epochs_


def test_words_in_a_table_name_their_column():
    with pytest.raises(ValueError, match="column 'a' .* holds texts; columns='auto'"):
        MLP().fit([({"a": ["x", "y"]}, [0.0, 1.0])])


@pytest.mark.parametrize("source", [{"a": [1, 2], "y": [3, 4]}, RowBlocks([(X, Y)])])
def test_what_is_no_list_of_tables_is_refused_with_the_cure(source):
    with pytest.raises(
        TypeError, match="a list of tables is needed|RowBlocks already: give block_"
    ):
        MLP().fit(RowBlocks(source, "y"))


@pytest.mark.parametrize("method", ["predict", "score", "evaluate"])
def test_methods_beside_fit_say_that_they_take_no_blocks(method):
    model = MLP(4, columns="auto", epochs=1).fit({"a": X[:, 0]}, Y)
    with pytest.raises(TypeError, match=r"X comes in blocks \(RowBlocks\), which fit alone takes"):
        getattr(model, method)(RowBlocks([({"a": X[:, 0]}, Y)]), *[Y] * (method != "predict"))


def test_no_rows_at_all_are_refused():
    with pytest.raises(ValueError, match="the blocks have no rows"):
        MLP().fit([(X[:0], Y[:0])])


@pytest.mark.parametrize("options", [{"optimizer": "lbfgs"}, {"optimizer": "rprop"},
                                     {"batch_size": "full"}])  # fmt: skip
def test_what_needs_all_rows_at_once_is_refused(options):
    with pytest.raises(ValueError, match="needs all rows at once"):
        MLP(**options).fit(cut((X, Y), 500))


def test_weights_and_targets_beside_blocks_are_refused():
    with pytest.raises(ValueError, match=r"come with them: \(X, y, sample_weight\)"):
        MLP().fit(cut((X, Y), 500), sample_weight=np.ones(3000))
    with pytest.raises(ValueError, match="leave y out"):
        MLP().fit(RowBlocks(cut((X, Y), 500)), Y)


class Failing(Again):
    """Blocks of which one raises in some iteration."""

    def __init__(self, blocks, at):
        super().__init__(blocks)
        self.at = at

    def __iter__(self):
        self.times += 1
        for i, block in enumerate(self.blocks):
            if (self.times, i) == self.at:
                raise ConnectionError("the line is down")
            yield block


@pytest.mark.parametrize("at", [(1, 4), (2, 4), (3, 4), (3, 0), (5, 2)])
@pytest.mark.parametrize("before", [False, True])
def test_an_exception_of_the_users_iterator_leaves_the_model_as_before(at, before):
    model = MLPRegressor(hidden=(4,), epochs=4, random_state=0)
    if before:
        model.fit(X[:200], Y[:200])
    known = model.parameters_.copy() if before else None
    with pytest.raises(ConnectionError, match="the line is down"):
        model.fit(RowBlocks(Failing(cut((X, Y), 500), at), **SMALL))
    if before:
        assert np.array_equal(model.parameters_, known)
    else:
        assert not hasattr(model, "n_features_in_")


class Changing(Again):
    """Blocks that are others in some iteration."""

    def __init__(self, blocks, others, time):
        super().__init__(blocks)
        self.others, self.time = others, time

    def __iter__(self):
        self.times += 1
        return iter(self.others if self.times == self.time else self.blocks)


@pytest.mark.parametrize("time", [2, 3, 5])
@pytest.mark.parametrize("kind", ["numbers", "words"])
@pytest.mark.parametrize("change", ["fewer", "more", "order", "targets", "sizes"])
def test_blocks_that_change_are_refused_as_their_targets_would_be_those_of_others(
    change, kind, time
):
    y = Y if kind == "numbers" else np.where(Y > 3, "a", "b").astype(object)
    blocks = cut((X, y), 500)
    others = {
        "fewer": blocks[:-2],
        "more": [*blocks, blocks[0]],
        "order": [*blocks[:2], *blocks[:1:-1]],
        "targets": cut((X, y[::-1]), 500),
        "sizes": cut((X, y), 300),
    }[change]
    model = MLP(epochs=3, random_state=0)
    with pytest.raises(ValueError, match="the blocks have changed: they had 3,000 rows"):
        model.fit(RowBlocks(Changing(blocks, others, time), **SMALL))
    assert not hasattr(model, "n_features_in_")


class Sequenced(list):
    """A list that gives other blocks after some time."""

    def __getitem__(self, i):
        return (X[:500], Y[:500])


def test_a_sequence_whose_blocks_are_others_is_refused():
    with pytest.raises(ValueError, match="the blocks have changed"):
        MLPRegressor(epochs=1).fit(RowBlocks(Sequenced(cut((X, Y), 500)), **SMALL))


@pytest.mark.parametrize("X", [RowBlocks(cut((X, Y), 500)), cut((X, Y), 500), Again([])])
def test_the_drop_in_says_that_it_takes_arrays(X):
    sklearn = pytest.importorskip("cnn_core.sklearn")
    with pytest.raises(TypeError, match=r"takes arrays; cnn_core\.MLPClassifier"):
        sklearn.MLPRegressor().fit(X, None)


def test_a_score_to_stop_on_needs_validation_data():
    with pytest.raises(ValueError, match="monitor=.* give validation_data"):
        MLPRegressor(early_stopping=True, monitor="r2").fit(cut((X, Y), 500))
