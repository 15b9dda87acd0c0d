"""A province: the same definitions on a Spark cluster of two workers on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed; it belongs to the extra `spark`")

from bench import linking_people
from pyspark.sql import SparkSession

from kangyun.commons.population.actions import batch_spark
from kangyun.commons.population.decisions import matching

# Four Java machines live for one query: to compile for long lives and to collect side by side costs them more than the work.
_SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java, which is not installed"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    paths = os.pathsep.join(path for path in sys.path if path)
    builder: Any = SparkSession.builder
    found = (
        builder.master("local-cluster[2,1,1024]").appName("kangyun").config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4").config("spark.executorEnv.PYTHONPATH", paths)
        .config("spark.driver.extraJavaOptions", _SHORT_LIVED).config("spark.executor.extraJavaOptions", _SHORT_LIVED)
        .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate()
    )
    yield found
    found.stop()


def test_spark_scores_as_python_does(session: SparkSession) -> None:
    told = [matching.features(patient) for _, patient in linking_people.records(13, 400)]
    rows = [(place, matching.encode(one), matching.blocking_keys(one)) for place, one in enumerate(told)]
    records = session.createDataFrame(rows, "unique_id long, features string, keys array<long>")
    found = {(row["one"], row["other"]): row for row in batch_spark.scored(session, records, matching.weights()).collect()}
    keys = [set(key) for _, _, key in rows]
    pairs = {(a, b) for a in range(len(rows)) for b in range(a + 1, len(rows)) if keys[a] & keys[b]}
    assert set(found) == pairs
    for (one, other), row in found.items():
        evidence = matching.score(told[one], told[other])
        assert row["barred"] == evidence.barred
        assert row["bits"] == pytest.approx(evidence.bits, abs=0.01)
