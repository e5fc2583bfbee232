"""Words beside a count of one."""

import re

import cnn_core.datasets
import numpy as np
import pytest

from cnn_core import MLP

ONE = np.arange(12.0)[:, None]
Y = 2 * ONE[:, 0]
#: "1 rows", but not the end of "11 rows" or "0.1 rows".
WRONG = re.compile(r"(?<![\w.,-])1 (rows|columns|features|entries|epochs|outputs|models|numbers)\b")


@pytest.fixture(scope="module")
def one():
    return MLP((), epochs=2).fit(ONE, Y)


def said(function, *arguments, **options):
    with pytest.raises((ValueError, TypeError)) as error:
        function(*arguments, **options)
    return str(error.value)


def test_one_of_a_thing_is_no_plural(one, tmp_path):
    tables = MLP((), columns="auto", epochs=1).fit({"x": Y}, Y)
    one.export_c(tmp_path / "net.h")
    one.export_numpy(tmp_path / "net.py")
    words = [
        said(MLP().fit(np.column_stack((ONE, ONE)), Y).predict, ONE),
        said(MLP().fit, ONE[:1], Y[:2]),
        said(MLP(columns="auto").fit, {}, []),
        said(cnn_core.datasets.split, ONE[:1], Y, test=0.5),
        said(MLP().fit, [(ONE[:1], Y[:2])], None),
        said(one.calibrate(ONE[:1], Y[:1] + 1).predict_interval, ONE, 0.99),
        str(one.attributions(ONE[:1], "integrated", baseline=ONE)),
        str(tables.summary()), tables.summary()._repr_html_(), str(tables.columns_),
        (tmp_path / "net.h").read_text(), (tmp_path / "net.py").read_text(),
        str(one.importances(ONE, Y)), tables._repr_html_(),
    ]  # fmt: skip
    assert [found for one in words for found in WRONG.findall(one)] == []
