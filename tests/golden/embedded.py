"""Golden runs of embedded columns and numbers, on each path through the native core."""

import numpy as np

from cnn_core import Embedding, PeriodicEmbedding
from golden import data
from golden.table import ALL, BOTH, add


def embedded(rows, *counts):
    """The same rows with so many categories, and so many more that are unknown, in the place of the
    numbers in their last columns."""

    def in_categories(X, more=0):
        X = X.copy()
        for column, n in enumerate(counts, start=X.shape[1] - len(counts)):
            X[:, column] = np.floor((X[:, column] + 1) / 2 * (n + more))
        return X

    return rows._replace(X=in_categories(rows.X), X_new=in_categories(rows.X_new, 2))


def of(first, *dims):
    """`columns` for embedded ones from column `first` on."""
    return {column: Embedding(dim) for column, dim in enumerate(dims, start=first)}


add(
    "embedded columns",
    embedded(data.numbers(6), 1, 40, 7),
    (embedded(data.classes(6, 3), 3, 90, 150), {"scale_inputs": "auto"}),
    threads=ALL,
    dtypes=BOTH,
    hidden=(20, 9),
    columns=of(3, 3, 8, 17),
)
add(
    "embedded columns alone",
    embedded(data.numbers(3), 9, 9, 120),
    dtypes=BOTH,
    hidden=(),
    columns=of(0, 1, 2, None),
)
add(
    "embedded columns, wide layers",
    embedded(data.numbers(30, rows=500), 300, 17),
    threads=ALL,
    dtypes=BOTH,
    hidden=(300, 280),
    columns=of(28, 40, 2),
    batch_size=400,
    dropout=(0.2, 0.1, 0.0),
    epochs=2,
)
add(
    "embedded columns, limits",
    embedded(data.classes(9, 4), 30, 60),
    threads=ALL,
    hidden=(33,),
    columns=of(7, 5, 33),
    optimizer="sgd",
    learning_rate=0.1,
    clip_norm=0.1,
    max_norm=1.5,
    l1=1e-4,
    l2=1e-3,
)
add(
    "embedded columns, lbfgs",
    embedded(data.numbers(5, 2), 20, 20),
    threads=ALL,
    dtypes=BOTH,
    hidden=(9,),
    columns=of(3, 4, 4),
    optimizer="lbfgs",
)
add(
    "periodic embeddings",
    data.numbers(6),
    (data.classes(20, 3), {"scale_inputs": "robust_clip", "init": "data_driven"}),
    (data.labels(1, 3), {"numeric_embedding": PeriodicEmbedding(1, 1, 2.0)}),
    (embedded(data.numbers(7, 2), 1, 40, 7), {"columns": of(4, 3, 8, 17)}),
    threads=ALL,
    dtypes=BOTH,
    hidden=(20, 9),
    numeric_embedding="periodic",
)
add(
    "periodic embeddings, wide layers",
    data.numbers(40, rows=500),
    threads=ALL,
    dtypes=BOTH,
    hidden=(300, 280),
    numeric_embedding=PeriodicEmbedding(33, 5),
    batch_size=400,
    dropout=(0.2, 0.1, 0.0),
    rate_factors={"periodic": 0.1},
    epochs=2,
)
add(
    "periodic embeddings, lbfgs",
    data.numbers(5, 2),
    threads=ALL,
    dtypes=BOTH,
    hidden=(9,),
    numeric_embedding=PeriodicEmbedding(4, 2),
    optimizer="lbfgs",
)
