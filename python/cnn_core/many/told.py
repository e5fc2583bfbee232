"""Warnings of many models: what several say is said once, with their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cnn_core._warn import warn

Said = tuple[str, type[Warning]]

NAMED = 4  # models whose numbers stand in a warning
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?|\bnan\b|\binf\b")


class Names(NamedTuple):
    """How messages call the models."""

    one: str = "models"  #: with a number behind
    alike: bool = False  #: whether what one says of its rows and parameters holds for all

    def of(self, number: int) -> str:
        """What an error of a model begins with."""
        return "" if self.alike else f"{self.one}[{number}]: "


MODELS = Names()


def alike(message: str) -> str:
    """What is equal for messages that say the same of other numbers."""
    return NUMBER.sub("#", message)


def tell(said: Iterable[tuple[int, Said]], models: int, names: Names = MODELS) -> None:
    """Warn of what single models have said.

    Parameters
    ----------
    said : iterable of (int, (str, type))
        A model's number, and what it says.
    models : int
        How many there are.
    names : Names
    """
    found: dict[tuple[str, type[Warning]], dict[int, str]] = {}
    for number, (message, category) in said:
        found.setdefault((alike(message), category), {}).setdefault(number, message)
    for (_, category), messages in found.items():
        numbers = sorted(messages)
        first = messages[numbers[0]]
        if all(message == first for message in messages.values()):
            if names.alike and len(numbers) == models:
                warn(first, category)
                continue
            warn(f"{called(numbers, models, names)}: {first}", category)
        else:  # in other words: other numbers
            others = called(numbers[1:], models, names)
            warn(f"{called(numbers[:1], models, names)}: {first}; {others}: alike", category)


def called(numbers: Sequence[int], models: int, names: Names = MODELS) -> str:
    """'models[3]', 'models[3], models[7] and 12 others' or 'all 60 models'."""
    if len(numbers) == models > 1:
        return f"all {models} {names.one}"
    shown = [f"{names.one}[{number}]" for number in numbers[:NAMED]]
    if len(numbers) > NAMED:
        shown.append(f"{len(numbers) - NAMED} more")
    last = f" and {shown.pop()}" if len(shown) > 1 else ""
    return ", ".join(shown) + last
