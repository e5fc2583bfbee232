"""Profiles as HTML: phases and totals of an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnn_core.notebook.html import card, note, table
from cnn_core.profile.format import milliseconds, number, of_copy, percent

if TYPE_CHECKING:
    from cnn_core.profile import Profile

COLUMNS = (
    "layer", "phase", "ms an epoch", "share", "GFLOP/s", "of the peak", "GB/s", "of the copy"
)  # fmt: skip
#: Rows of the table that are shown: a layer has up to five.
MOST_PHASES = 40


def html_of_profile(profile: Profile) -> str:
    """What a notebook shows of a profile."""
    rows = [
        (
            row["layer"],
            row["phase"],
            milliseconds(row["seconds"]),
            percent(row["share"]),
            number(row["gflop_per_s"]),
            percent(row["peak_share"]),
            number(row["gb_per_s"]),
            of_copy(row["copy_share"]),
        )
        for row in profile["phases"]
    ]
    seconds = profile["totals"]["phase_seconds"]
    rows.append(("sum", "", milliseconds(seconds), percent(1.0), "", "", "", ""))
    total = profile["training"]["rows"]
    compared = [
        (name, "", "", remark)
        if seconds is None
        else (name, milliseconds(seconds), number(total / seconds), f"{remark} {how}".rstrip())
        for name, seconds, remark, how in profile.compared()
    ]
    return card(
        f"Profile of an epoch: {milliseconds(profile['totals']['epoch_seconds'])} ms on one thread",
        *(note(line) for line in profile.head()),
        table(COLUMNS, rows, (0, 1), most=MOST_PHASES),
        table(("what", "ms an epoch", "rows/s", "compared"), compared, (0, 3), longest=200),
        note(profile.last_note),
    )
