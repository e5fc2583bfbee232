"""Several labels a row: which of them are rare, the same in every row, or not learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnn_core.data.validation import which_target
from cnn_core.scores import average_precision

RARE = 0.1  # share of the rows below which a 1, or a 0, is rare
FOUND = 0.75  # share of the rare ones that a good prediction finds
CHANCE = 0.1  # by which a label that is learned is ranked better than by lot
LISTED = 3  # columns that a sentence names
FEWEST = 10  # rows with a 1, and with a 0, that an order can be told from


def rank_score(positive: np.ndarray, score: np.ndarray) -> float:
    """How often a row that has a label scores above one that has not: the area under the ROC
    curve, with ties as one half.

    Parameters
    ----------
    positive : ndarray of bool, shape (rows,)
    score : ndarray, shape (rows,)

    Returns
    -------
    float
    """
    yes, no = np.sort(score[positive]), np.sort(score[~positive])
    below, upto = no.searchsorted(yes, "left").sum(), no.searchsorted(yes, "right").sum()
    return float((below + upto) / (2 * len(yes) * len(no)))


def of_labels(yes: np.ndarray, a: np.ndarray, threshold: float) -> Iterator[str]:
    """Labels that the share of rows which are right in all does not show.

    Parameters
    ----------
    yes : ndarray of bool, shape (rows, n_outputs)
        Which rows have each label.
    a : ndarray, shape (rows, n_outputs)
        Outputs.
    threshold : float
        Above which they mean a label.

    Yields
    ------
    str
    """
    rows, n = yes.shape
    counts = yes.sum(axis=0)
    constant = np.flatnonzero((counts == 0) | (counts == rows))
    if rows > 1 and len(constant):
        first = int(constant[0])
        others = constant[(counts[constant] > 0) == (counts[first] > 0)].tolist()
        yield (
            f"{_columns(others, n)} {int(yes[0, first])} in all these rows, which show nothing of "
            f"{'it' if len(others) == 1 else 'them'}."
        )
    fewer = np.minimum(counts, rows - counts)
    rare = (fewer > 0) & (fewer + 2 * np.sqrt(fewer + 1) < RARE * rows)  # by more than chance
    unlearned = [
        int(k)
        for k in np.flatnonzero(~rare & (fewer >= FEWEST))
        if _ranked_by_lot(yes[:, k], a[:, k])
    ]
    if unlearned and len(unlearned) < n:
        k = unlearned[0]
        share = rank_score(yes[:, k], a[:, k])
        yield (
            f"{_columns(unlearned, n)} not learned: a row with a 1 is ranked above one with a 0 in "
            f"{share:.0%} of all pairs, and by lot in 50%."
        )
    yield from _rare(yes, a, threshold, np.flatnonzero(rare).tolist())


def _ranked_by_lot(yes: np.ndarray, a: np.ndarray) -> bool:
    """Whether outputs order the rows hardly better than chance does."""
    n_yes, n_no = int(yes.sum()), int(np.count_nonzero(~yes))
    error = np.sqrt((n_yes + n_no + 1) / (12 * n_yes * n_no))
    return bool(rank_score(yes, a) < 0.5 + max(min(CHANCE, 4 * error), 2 * error))


def _rare(yes: np.ndarray, a: np.ndarray, threshold: float, which: Sequence[int]) -> Iterator[str]:
    """The rare label of which the least is found."""
    rows, n = yes.shape
    worst, least = None, FOUND
    for k in which:
        rare = int(2 * np.count_nonzero(yes[:, k]) <= rows)
        has, taken = yes[:, k] == rare, (a[:, k] > threshold) == rare
        found = np.count_nonzero(taken & has) / np.count_nonzero(has)
        if found < least:
            worst, least = (k, rare, has, taken), found
    if worst is None:
        return
    k, rare, has, taken = worst
    count, hits = int(has.sum()), int(np.count_nonzero(taken & has))
    flagged = f", among {int(taken.sum())} that are taken for it" if taken.any() else ""
    score = average_precision(has, a[:, k] if rare else -a[:, k])
    column, verb = which_target(k, n), "is" if hits == 1 else "are"
    yield (
        f"Only {count} of these {rows} rows have a {rare} in {column}; {hits or 'none'} of them "
        f"{verb} found{flagged}. As {1 - rare} for every row has "
        f"accuracy {1 - count / rows:.4g}, judge it by average precision ({score:.3g}; chance "
        f"{count / rows:.2g})."
    )


def _columns(which: Sequence[int], n: int) -> str:
    """The columns of y that a sentence begins with, and its verb."""
    if len(which) == 1:
        return f"{which_target(which[0], n, begins=True)} is"
    more = f" and {len(which) - LISTED} others" if len(which) > LISTED else ""
    return f"Columns {', '.join(map(str, which[:LISTED]))}{more} of y are"
