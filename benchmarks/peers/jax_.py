"""JAX: an epoch is one compiled function, a scan over mini-batches; predictions are compiled with
the weights in."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from cases import LEARNING_RATE

jax.config.update("jax_platforms", "cpu")


def set_threads(count):
    """Nothing to do: NPROC in the environment holds XLA to the number of threads."""


def columns(layers):
    """Layers whose W has shape (n_in, n_out), on the device."""
    return [(jnp.asarray(W.T), jnp.asarray(b)) for W, b in layers]


def forward(activation, layers, X):
    for W, b in layers[:-1]:
        X = activation(X @ W + b)
    W, b = layers[-1]
    return X @ W + b


def activation_of(net):
    return jax.nn.relu if net.activation == "relu" else jnp.tanh


def adam_step(activation, state, X, y):
    """The next (layers, m, v, t)."""

    def cost(layers):
        log_p = jax.nn.log_softmax(forward(activation, layers, X))
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    layers, m, v, t = state
    gradient = jax.grad(cost)(layers)
    t += 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
    rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), layers, m, v), m, v, t


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def epoch(activation, batch, state, X, y, order):
    """One pass in an order. Rows are gathered batch by batch, which is faster than all at once."""
    whole = len(order) - len(order) % batch
    state, _ = jax.lax.scan(
        lambda state, rows: (adam_step(activation, state, X[rows], y[rows]), None),
        state,
        order[:whole].reshape(-1, batch),
    )
    return (
        adam_step(activation, state, X[order[whole:]], y[order[whole:]])
        if whole < len(order)
        else state
    )


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def full_batch_epoch(activation, state, X, y):
    return adam_step(activation, state, X, y)


def trainers(case, X, y, layers):
    X, y = jnp.asarray(X), jnp.asarray(y, jnp.int32)
    activation, rng = activation_of(case.net), np.random.default_rng(0)
    state = None

    def train(epochs):
        nonlocal state
        # Copies, because the state is donated and jnp.asarray may share memory with what it is
        # given.
        start = jax.tree.map(lambda a: a.copy(), columns(layers))
        state = (
            start,
            jax.tree.map(jnp.zeros_like, start),
            jax.tree.map(jnp.zeros_like, start),
            jnp.float32(0),
        )
        for _ in range(epochs):
            if case.batch is None:
                state = full_batch_epoch(activation, state, X, y)
            else:
                order = rng.permutation(len(X)) if case.shuffle else np.arange(len(X))
                state = epoch(activation, case.batch, state, X, y, order.astype(np.int32))
        jax.block_until_ready(state)

    return {
        "jit and scan": (train, lambda: [(np.asarray(W).T, np.asarray(b)) for W, b in state[0]])
    }


def row_predictors(net, layers):
    activation, layers = activation_of(net), columns(layers)

    @jax.jit
    def answer(X):
        z = forward(activation, layers, X)
        return z.argmax(axis=-1) if net.classes else z[..., 0]

    return {"jit": lambda X: np.asarray(answer(X))}


batch_predictors = row_predictors  # the same function, compiled for another shape
