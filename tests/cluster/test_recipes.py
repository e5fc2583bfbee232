"""docs/recipes.md without Ray and Spark, which tests/test_docs.py and tests/soak run."""

import re
from pathlib import Path

import pytest

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")

from cluster_cases import arrays, sha, table
from cnn_core.dask import DaskMLP

BLOCKS = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(),
    re.DOTALL,
)


class Engine:
    """What the recipe for Ray has, with a list in the place of a reference."""

    threads = 2

    def submit(self, function, *arguments):
        return [function(*(one[0] if isinstance(one, list) else one for one in arguments))]

    def compute(self, delayed):
        return [[one] for one in dask.compute(*delayed)]

    def results(self, tasks, end=None):
        return [one for (one,) in tasks]


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_other_engines_give_the_same_bits(optimizer):
    X, y, _ = table()
    options = dict(
        hidden=4, epochs=3, shards=5, optimizer=optimizer, early_stopping=True, random_state=0
    )
    model = DaskMLP(**options, client=Engine()).fit(*arrays(X, y))
    assert sha(model) == sha(DaskMLP(**options).fit(*arrays(X, y)))


def test_the_recipe_for_spark_predicts_frame_by_frame(capsys):
    exec(BLOCKS[1], {})
    assert capsys.readouterr().out == "(40, 2)\n"
