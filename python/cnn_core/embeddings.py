"""Embedded columns: a category becomes a vector of numbers that are learned with the weights.

Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv 1604.06737.
"""

from cnn_core._checks import is_whole
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


def usual_width(categories: int) -> int:
    """The fourth root, rounded up."""
    width = 1
    while width**4 < categories:
        width += 1
    return width
