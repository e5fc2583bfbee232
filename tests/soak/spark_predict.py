"""The recipe for Spark of docs/recipes.md on two local workers; needs pyspark and Java.

python tests/soak/spark_predict.py
"""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"


def main():
    os.environ["PYSPARK_PYTHON"] = sys.executable
    code = next(
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "def predictor" in block
    )
    recipe: dict = {}
    exec(code, recipe)
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"id": np.arange(1000), "size": rng.uniform(1, 4, 1000)})
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = spark.getOrCreate()
    try:
        frame = session.createDataFrame(rows).repartition(5)
        function = recipe["predictor"](recipe["model"], ["id"])
        found = frame.mapInPandas(function, "id long, prediction float").toPandas()
    finally:
        session.stop()
    found = found.sort_values("id")["prediction"].to_numpy()
    expected = recipe["model"].predict(rows[["size"]])
    assert np.array_equal(found, expected.astype("f4"))
    print(f"{len(found):,} predictions have the bits of one process")


if __name__ == "__main__":
    main()
