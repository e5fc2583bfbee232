"""Warnings of many models: what several say is said once, with their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cnn_core._warn import warn

Said = tuple[str, type[Warning]]

NAMED = 4  # models whose numbers stand in a warning
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?|\bnan\b|\binf\b")


def tell(said: Iterable[tuple[int, Said]], models: int) -> None:
    """Warn of what single models have said.

    Parameters
    ----------
    said : iterable of (int, (str, type))
        A model's number, and what it says.
    models : int
        How many there are.
    """
    alike: dict[tuple[str, type[Warning]], dict[int, str]] = {}
    for number, (message, category) in said:
        alike.setdefault((NUMBER.sub("#", message), category), {}).setdefault(number, message)
    for (_, category), messages in alike.items():
        numbers = sorted(messages)
        first = messages[numbers[0]]
        if all(message == first for message in messages.values()):
            warn(f"{called(numbers, models)}: {first}", category)
        else:  # in other words: other numbers
            others = called(numbers[1:], models)
            warn(f"{called(numbers[:1], models)}: {first}; {others}: alike", category)


def called(numbers: Sequence[int], models: int) -> str:
    """'models[3]', 'models[3], models[7] and 12 others' or 'all 60 models'."""
    if len(numbers) == models > 1:
        return f"all {models} models"
    shown = [f"models[{number}]" for number in numbers[:NAMED]]
    if len(numbers) > NAMED:
        shown.append(f"{len(numbers) - NAMED} more")
    last = f" and {shown.pop()}" if len(shown) > 1 else ""
    return ", ".join(shown) + last
