"""Embedded columns: a category becomes a vector of numbers that are learned with the weights, and a
number some more by way of cosines that are learned.

Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv 1604.06737; Gorishniy,
Rubachev & Babenko 2022, "On embeddings for numerical features in tabular deep learning", arXiv
2203.05556.
"""

from __future__ import annotations

from typing import Any

from cnn_core._checks import check_number, is_whole
from cnn_core._settings import Settings

#: Numbers of a vector, at most.
WIDEST = 1 << 12


class Embedding(Settings):
    """What `columns` of MLP says of a column whose categories are to be embedded.

    Parameters
    ----------
    dim : int, optional
        Numbers that each category becomes; default the fourth root of how many categories there
        are, rounded up, as the TensorFlow team advises (Google Developers Blog, November 2017,
        "Introducing TensorFlow feature columns").
    """

    kind = "embedding"
    dim: int | None

    def __init__(self, dim: int | None = None) -> None:
        self._set(dim=dim)

    def _validate(self) -> None:
        if self.dim is not None and not (is_whole(self.dim) and 1 <= self.dim <= WIDEST):
            kind = ValueError if is_whole(self.dim) else TypeError
            raise kind(
                f"Embedding: dim must be a whole number from 1 to {WIDEST}, or None, got "
                f"{self.dim!r}"
            )

    def width(self, categories: int) -> int:
        """Numbers that each of so many categories becomes."""
        return usual_width(categories) if self.dim is None else int(self.dim)


class PeriodicEmbedding(Settings):
    """What `numeric_embedding` of MLP makes of each column of numbers, beside the number itself: of
    a number x, as the network reads it, the cosines h_k = cos(2 pi w_k x + c_k), and of these e = V
    h + d. w, c, V and d are learned with the weights, for each column its own.

    This is the "PBLD" embedding of Holzmueller, Grinsztajn & Steinwart 2024, "Better by default",
    arXiv 2407.04491, section 3.

    Parameters
    ----------
    frequencies : int, default 16
        Cosines of a column, from 1 to 1024.
    width : int, default 3
        Numbers in e, from 1 to 16.
    scale : float, default 0.1
        Standard deviation of the first w, which are normally distributed; above 0. c begins evenly
        in [-pi, pi), V and d evenly in +-1 / sqrt(frequencies).
    """

    frequencies: int
    width: int
    scale: float

    def __init__(self, frequencies: int = 16, width: int = 3, scale: float = 0.1) -> None:
        self._set(frequencies=frequencies, width=width, scale=scale)

    def _validate(self) -> None:
        for name, most in (("frequencies", 1024), ("width", 16)):
            value: Any = getattr(self, name)
            if not (is_whole(value) and 1 <= value <= most):
                kind = ValueError if is_whole(value) else TypeError
                raise kind(
                    f"PeriodicEmbedding: {name} must be a whole number from 1 to {most}, got "
                    f"{value!r}"
                )
        check_number("PeriodicEmbedding: scale", self.scale, 0, above=True)


def get_numeric_embedding(value: Any) -> PeriodicEmbedding | None:
    """The embedding of numbers that a user means."""
    return PeriodicEmbedding() if isinstance(value, str) else value


def usual_width(categories: int) -> int:
    """The fourth root, rounded up."""
    width = 1
    while width**4 < categories:
        width += 1
    return width
