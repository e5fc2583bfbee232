"""The chart of a profile, with matplotlib, which nothing else needs."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnn_core.profile.format import milliseconds, number, percent, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Of `phases`: a dict for each phase of each layer.
Phases = Sequence[Mapping[str, Any]]

#: Okabe & Ito 2008, "Color universal design", and hatches where greys are alike.
COLOURS = {
    "shuffle": "#999999",
    "gather": "#F0E442",
    "forward": "#0072B2",
    "activation": "#56B4E9",
    "loss": "#CC79A7",
    "backward": "#E69F00",
    "gradient": "#D55E00",
    "update": "#009E73",
}
HATCHES = {
    "shuffle": "..",
    "activation": "\\\\\\",
    "backward": "///",
    "update": "xx",
    "loss": "++",
    "gradient": "--",
}
#: On which black letters are read better than white ones.
LIGHT = ("gather", "activation", "backward", "loss", "shuffle", "update")


def check(file: str | os.PathLike[str]) -> "type[Figure]":
    """Raise unless a chart can be drawn into such a file.

    Returns
    -------
    type
        matplotlib's Figure.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("the chart needs matplotlib: pip install matplotlib") from None
    ending = os.path.splitext(os.fspath(file))[1][1:].lower()
    known = Figure().canvas.get_supported_filetypes()
    if ending not in known:
        endings = ", ".join(f".{one}" for one in sorted(known))
        raise ValueError(f"the chart's file must end in one of {endings}; got {os.fspath(file)!r}")
    folder = os.path.dirname(os.fspath(file)) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"the chart's folder {folder!r} does not exist")
    return Figure


def draw(profile: Mapping[str, Any], file: str | os.PathLike[str]) -> None:
    """See `Profile.plot`."""
    # A Figure of its own, not pyplot, which has a state that is the user's.
    figure_class = check(file)
    phases, training = profile["phases"], profile["training"]
    layers = list(dict.fromkeys(row["layer"] for row in phases))
    figure = figure_class(
        figsize=(11, 1.9 + 0.62 * len(layers) + 0.9), dpi=150, layout="constrained"
    )
    figure.suptitle(
        f"An epoch of {training['rows']:,} rows in mini-batches of {training['batch_size']:,}, "
        f"one thread, {profile['machine']['instruction_set']}\n{title(training)}, "
        f"{training['optimizer']}",
        fontsize=11,
    )
    left, right = figure.subplots(1, 2, sharey=False, width_ratios=(3, 2))
    draw_times(left, profile)
    _peaks(
        right,
        phases,
        [layer for layer in layers if layer != "rows"],
        profile["machine"]["peak_gflop_per_s"],
    )
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9
    )
    figure.savefig(file)


def _shown(seconds: float) -> str:
    """Milliseconds with three digits, of a small network too."""
    return number(1e3 * seconds) if seconds >= 1e-4 else milliseconds(seconds)


def _plain(axes: "Axes", layers: Sequence[str]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_yticks(range(len(layers)), layers)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def draw_times(axes: "Axes", profile: Mapping[str, Any]) -> None:
    """One bar a layer, its phases one after the other."""
    phases, whole = profile["phases"], profile["totals"]["phase_seconds"]
    layers = list(dict.fromkeys(row["layer"] for row in phases))
    widest = max(sum(row["seconds"] for row in phases if row["layer"] == layer) for layer in layers)
    for phase, colour in COLOURS.items():
        rows = [row for row in phases if row["phase"] == phase]
        lefts = []
        for row in rows:
            mine = [one for one in phases if one["layer"] == row["layer"]]
            lefts.append(1e3 * sum(one["seconds"] for one in mine[: mine.index(row)]))
        axes.barh(
            [layers.index(row["layer"]) for row in rows],
            [1e3 * row["seconds"] for row in rows],
            0.6,
            lefts,
            color=colour,
            hatch=HATCHES.get(phase),
            edgecolor="white",
            linewidth=0.5,
            label=phase,
        )
        for row, left in zip(rows, lefts):
            if row["seconds"] > 0.08 * widest:
                axes.text(
                    left + 500 * row["seconds"],
                    layers.index(row["layer"]),
                    f"{100 * row['share']:.0f} %",
                    ha="center",
                    va="center",
                    color="black" if phase in LIGHT else "white",
                    fontsize=9,
                    bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
                )
    for place, layer in enumerate(layers):
        seconds = sum(row["seconds"] for row in phases if row["layer"] == layer)
        axes.text(
            1e3 * (seconds + 0.015 * widest),
            place,
            f"{_shown(seconds)} ms",
            va="center",
            fontsize=9,
        )
    _plain(axes, layers)
    axes.set_xlim(0, 1e3 * 1.15 * widest)
    axes.set_xlabel("ms an epoch")
    axes.set_title(f"Where {_shown(whole)} ms go", fontsize=10, loc="left")


def _peaks(axes: "Axes", phases: Phases, layers: Sequence[str], peak: float) -> None:
    """For each layer one bar a product, as a share of the peak."""
    axes.axvline(100, color="#555555", linewidth=0.8, linestyle=":", zorder=0)
    for at, layer in enumerate(layers):
        rows = [row for row in phases if row["layer"] == layer and row["peak_share"] is not None]
        for i, row in enumerate(rows):
            place = at + 0.27 * (i - (len(rows) - 1) / 2)
            look: dict[str, Any] = {
                "color": COLOURS[row["phase"]],
                "hatch": HATCHES.get(row["phase"]),
            }
            axes.barh(
                place, 100 * row["peak_share"], 0.24, edgecolor="white", linewidth=0.5, **look
            )
            axes.text(
                100 * row["peak_share"] + 1,
                place,
                f"{percent(row['peak_share'])}, {number(row['gflop_per_s'])} GFLOP/s",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    _plain(axes, layers)
    axes.set_xlim(0, 145)  # room for what stands beside a bar of 100 %
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(f"% of the peak of {peak:.0f} GFLOP/s")
    axes.set_title("Products, against the most that one thread can do", fontsize=10, loc="left")
