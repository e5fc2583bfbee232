"""How nets are divided into groups, and about how long they take side by side and alone."""

from cnn_core._cpu cimport kernels_for
from cnn_core._memory cimport blocks
from cnn_core._network cimport Network
from cnn_core._tuning cimport (ALONE_ROW, LANES_MARGIN, LANES_PARAMETER, LANES_PRODUCT,
                               LANES_ROW, LANES_ROW_OF_NET, STEP_COST)


cdef inline Py_ssize_t groups_of(Py_ssize_t n, Py_ssize_t nets, Py_ssize_t threads) noexcept nogil:
    """Groups of at most `nets` nets that n nets form: as many for each thread, if there are
    enough."""
    cdef Py_ssize_t groups = blocks(n, nets)
    return min(n, blocks(groups, threads) * threads)


cdef inline double cost(Network network, Py_ssize_t batch, Py_ssize_t side,
                        Py_ssize_t nets) noexcept:
    """About the nanoseconds that a row takes (tuning.h): of a net alone, or of `side` of them in
    `nets` lanes."""
    cdef Py_ssize_t l, products = -network.layers[0].n_in * network.layers[0].n_out, parameters = 0
    cdef double of_product = LANES_PRODUCT, of_parameter = LANES_PARAMETER, of_row
    for l in range(network.n_layers):
        parameters += network.layers[l].n_out * (network.layers[l].n_in + 1)
        products += 3 * network.layers[l].n_out * network.layers[l].n_in
    of_row = LANES_ROW + side * LANES_ROW_OF_NET
    if side == 0:
        of_row, of_product, of_parameter = ALONE_ROW, of_product / nets, of_parameter / nets
    return of_row + of_product * products + (STEP_COST + of_parameter * parameters) / batch


cdef inline Py_ssize_t least_costly(Network network, Py_ssize_t batch, Py_ssize_t n,
                                    Py_ssize_t threads) noexcept:
    """How many of n nets to train side by side, the others alone, for the shortest time."""
    cdef Py_ssize_t nets = kernels_for(network.itemsize).vector, best = 0, side, groups
    cdef double alone = cost(network, batch, 0, nets), least = alone * blocks(n, threads), total
    for side in range(2, n + 1 if nets > 1 else 0):
        groups = groups_of(side, nets, threads)
        total = (LANES_MARGIN * blocks(groups, threads)
                 * cost(network, batch, blocks(side, groups), nets)
                 + alone * blocks(n - side, threads))
        if total < least:
            best, least = side, total
    return best
