"""A table end to end: a CSV with words, dates and gaps becomes a tested model that is kept, asked
for single rows, and looked into. Who of 1,500 customers will cancel?"""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cnn_core.datasets import split
from cnn_core.io import read_csv

from cnn_core import MLPClassifier, TabularMLP, load


def chapter(title: str) -> None:
    """Print the heading of a chapter."""
    print(f"\n{title}\n{'-' * len(title)}")


def write_customers(path: Path) -> None:
    """A CSV of customers, with gaps."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "since", "plan", "calls", "bill", "cancels"])
        for number in range(1500):
            year, month = rng.integers(2015, 2026), rng.integers(1, 13)
            plan, calls = rng.choice(["basic", "family", "business"]), rng.poisson(2)
            bill = rng.normal(40, 12) + 20 * (plan == "business")
            unhappy = 0.9 * calls + 0.06 * bill - 1.5 * (plan == "family") - 0.3 * (2026 - year)
            cancels = "yes" if unhappy + rng.normal(0, 0.7) > 4.2 else "no"
            paid = "" if rng.random() < 0.06 else f"{bill:.2f}"
            since = f"{year}-{month:02}-01"
            writer.writerow([f"C{number:05}", since, plan, calls, paid, cancels])


with TemporaryDirectory() as name:
    folder = Path(name)
    chapter("1. Read, and divide")
    write_customers(folder / "customers.csv")
    table = read_csv(folder / "customers.csv").to_dict()
    del table["customer"]  # a number, which says nothing of others
    train, test = split(table, test=0.3, stratify=table["cancels"], random_state=0)
    y_test = test["cancels"]
    print(f"{len(train['cancels'])} rows to train on, {len(y_test)} to test on", end="; ")
    print(f"{np.mean(y_test == 'yes'):.0%} of these cancel")

    chapter("2. Train and compare")
    candidates = {
        "a line": MLPClassifier((), columns="auto", epochs=100, random_state=0),
        "one hidden layer": MLPClassifier(32, columns="auto", early_stopping=True, random_state=0),
        "TabularMLP": TabularMLP("classification", random_state=0),
    }
    for words, candidate in candidates.items():
        result = candidate.fit(train, "cancels").evaluate(test, y_test)
        print(f"{words:17} accuracy {result['accuracy']:.3f}, log loss {result['loss']:.3f}")
    model = candidates["TabularMLP"]
    print(model.members_[0].columns_)

    chapter("3. What matters")
    print(model.importances(test, y_test))

    chapter("4. Whom to call: the likeliest first")
    probability = model.predict_proba(test)[:, list(model.classes_).index("yes")]
    order = np.argsort(-probability, kind="stable")
    for first in (20, 50, 100):
        found = np.mean(y_test[order[:first]] == "yes")
        print(f"of the first {first:3} {found:.0%} cancel")

    chapter("5. Keep it, and ask it elsewhere")
    model.save(folder / "customers.safetensors")
    kept = load(folder / "customers.safetensors")
    print("the same bits:", np.array_equal(kept.predict_proba(test), model.predict_proba(test)))
    row = {"since": "2025-06-01", "plan": "basic", "calls": 5, "bill": None}
    print(row, "->", kept.predict_one(row, labels=True))
