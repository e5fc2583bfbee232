"""DaskMLP on workers: as many as there are, and one that is killed, the bits are those of one
process."""

import os
import signal
import threading

import numpy as np
import pytest

pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

from cluster_cases import arrays, sha, table
from cnn_core.dask import DaskMLP, predict

from cnn_core import MLP

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets that Dask leaves open
]

X, LABELS, Y = table(3001)
ROUNDS = dict(hidden=8, epochs=6, shards=5, random_state=0, early_stopping=True, keep_every=2)
PLAIN = sha(DaskMLP(**ROUNDS).fit(*arrays(X, LABELS, chunk=700)))


def make_cluster(n_workers, processes=True):
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=processes,
        dashboard_address=":0",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def client():
    with make_cluster(2) as cluster, distributed.Client(cluster) as client:
        yield client


def test_two_workers_give_the_bits_of_one_process(client):
    model = DaskMLP(**ROUNDS, client=client).fit(*arrays(X, LABELS, chunk=700))
    assert sha(model) == PLAIN
    options = dict(hidden=6, optimizer="lbfgs", epochs=5, shards=5, random_state=1)
    local = MLP(**options).fit(X, Y)
    model = DaskMLP(**options).fit(*arrays(X, Y, chunk=700))
    assert sha(model) == sha(local)
    rows = arrays(X, chunk=500)[0]
    assert np.array_equal(predict(local, rows).compute(), local.predict(X))
    assert np.array_equal(model.predict(rows).compute(), local.predict(X))


def test_what_a_killed_worker_had_is_made_anew(client):
    def kill(model, epoch, logs):
        if epoch == 3:
            os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)

    model = DaskMLP(**ROUNDS, client=client, callbacks=kill)
    assert sha(model.fit(*arrays(X, LABELS, chunk=700))) == PLAIN


def test_two_fits_share_a_cluster(client):
    found = {}

    def fit(seed):
        model = DaskMLP(**ROUNDS | dict(random_state=seed), client=client)
        found[seed] = sha(model.fit(*arrays(X, LABELS, chunk=700)))

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == PLAIN != found[1]


def test_errors_of_tasks_reach_the_caller(client):
    rows = np.where(np.arange(len(X))[:, None] == 5, np.inf, X)
    with pytest.raises(ValueError, match="X of partition 0 has inf at row 5"):
        DaskMLP(**ROUNDS, client=client).fit(*arrays(rows, LABELS))


@pytest.mark.parametrize("n_workers", [1, 4])
def test_the_number_of_workers_changes_no_bit(n_workers):
    with (
        make_cluster(n_workers, processes=False) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        model = DaskMLP(**ROUNDS, client=client).fit(*arrays(X, LABELS, chunk=700))
        assert sha(model) == PLAIN
