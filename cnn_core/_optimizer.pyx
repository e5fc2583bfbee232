"""Optimizers: names, settings, slots, and one step on some of the parameters."""

cimport cython
from libc.math cimport isinf, sqrt
from libc.string cimport memcpy

from cnn_core._cpu cimport OPTIMIZER_NUMBERS, kernels_for, kernels_t, optimizer_t
from cnn_core._memory cimport Arena, address
from cnn_core._network cimport Layer, Network
from cnn_core import _checks
from cnn_core._names import choose
from cnn_core._memory import aligned_zeros


def optimizer_names():
    """Names of all optimizers.

    Returns
    -------
    tuple of str
    """
    return NAMES


def optimizer_settings(name):
    """Names of the numbers that an optimizer works with, in the order in which its kernel takes
    them.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str
        The first is ``'learning_rate'``.
    """
    choose("optimizer", name, NAMES)
    return SETTINGS[name]


cdef read_settings():
    cdef const optimizer_t *f = kernels_for(4).optimizers
    found = {}
    while f.name:
        found[f.name.decode()] = tuple(f.settings.decode().split())
        f += 1
    return found


# The same for all instruction sets and dtypes.
cdef dict SETTINGS = read_settings()
cdef tuple NAMES = tuple(SETTINGS)


@cython.final
cdef class Optimizer:
    """An optimizer of a network's parameters.

    Parameters
    ----------
    network : Network
    name : str or None
        None: no steps are taken.
    settings : dict of str to float
        A value for each of `optimizer_settings`.
    clip_norm : float
        Shorten the gradient of a mini-batch, as one vector, to this Euclidean length where it is
        longer (Pascanu et al. 2013, Algorithm 1); 0: never.
    max_norm : float
        After each step shorten the weights to each neuron to this Euclidean length where they are
        longer (Srivastava et al. 2014, section 5.1); 0: never.
    rate_factors, decay_factors : sequence of float
        Of the learning rate, and of the setting weight_decay, for each group of parameters: W and b
        of the first layer, those of the second, ..., the vectors of all embedded columns, the
        periodic embeddings, which may be left out: 1. Empty: 1 throughout.
    bounds : (array-like, array-like) or ()
        The least and the largest value of each parameter, in the order of `Network.flat`, between
        which it is brought after each step.

    Attributes
    ----------
    steps : int
        Done so far.
    slots : tuple of ndarray
        The optimizer's memory, laid out as the parameters.
    """

    def __cinit__(self, Network network not None, str name, dict settings not None,
                  double clip_norm=0, double max_norm=0, rate_factors=(), decay_factors=(),
                  bounds=()):
        cdef const optimizer_t *f
        self.network, self.name, self.slots = network, name, ()
        self.clip_norm, self.max_norm, self.arena = clip_norm, max_norm, Arena()
        if name is None:
            return
        self.row = choose("optimizer", name, optimizer_names())
        names = optimizer_settings(name)
        if set(settings) != set(names):
            raise ValueError(f"{name} works with {', '.join(names)}; got {', '.join(settings)}")
        for i, setting in enumerate(names):
            self.h[i] = settings[setting]
        f = &kernels_for(network.itemsize).optimizers[self.row]
        self.slots = tuple([aligned_zeros(network.parameters.size, network.dtype)
                            for _ in range(f.slots)])
        for i in range(f.slots):
            self.slot[i] = address(self.slots[i])
        if "weight_decay" in names:
            self.decays = names.index("weight_decay")
            self.weight_decay = self.h[self.decays]
        self.group(rate_factors, decay_factors)
        self.bound(bounds)

    cdef group(self, rate_factors, decay_factors):
        """Remember the factors, and where the groups are."""
        cdef Network network = self.network
        cdef Layer *layer
        cdef Group *group
        cdef Py_ssize_t l
        if not rate_factors and not decay_factors:
            return
        self.n_groups = 2 * network.n_layers + 2
        for what, factors in (("rate_factors", rate_factors), ("decay_factors", decay_factors)):
            if factors and not self.n_groups - 1 <= len(factors) <= self.n_groups:
                raise ValueError(f"{what} must be one for each of the {self.n_groups} groups of "
                                 f"parameters, got {len(factors)}")
        self.groups = <Group *>self.arena.alloc(self.n_groups, 1, sizeof(Group))
        for l in range(self.n_groups):
            group = &self.groups[l]
            group.rate = rate_factors[l] if l < len(rate_factors) else 1
            group.decay = decay_factors[l] if l < len(decay_factors) else 1
        for l in range(network.n_layers):
            layer = &network.layers[l]
            self.groups[2 * l].offset = layer.W
            self.groups[2 * l].size = layer.panels * network.lanes * layer.n_in
            if network.has_bias:
                self.groups[2 * l + 1].offset = layer.b
                self.groups[2 * l + 1].size = layer.panels * network.lanes
        for l in range(2):
            group = &self.groups[2 * network.n_layers + l]
            group.offset = network.n_weights * network.itemsize
            group.size = network.embedding.n_vectors
        group.offset += group.size * network.itemsize
        group.size = network.embedding.n_periodic

    cdef bound(self, bounds):
        """Lay the bounds out as the parameters."""
        cdef Network lower, upper
        if not bounds:
            return
        lower, upper = self.network.copy(), self.network.copy()
        lower.set_flat(bounds[0])
        upper.set_flat(bounds[1])
        self.bounds = lower, upper
        self.lower, self.upper = lower.w, upper.w

    @property
    def learning_rate(self):
        """Step size of the coming steps."""
        return self.h[0]

    @learning_rate.setter
    def learning_rate(self, double value):
        self.h[0] = value

    def state(self, copy=True):
        """What a later run needs to go on: the number of steps, slots and numbers.

        Parameters
        ----------
        copy : bool
            Whether the slots are copied; without, this optimizer must not go on.

        Returns
        -------
        dict
        """
        return {"optimizer": self.name, "steps": self.steps,
                "numbers": [h for h in self.h[:OPTIMIZER_NUMBERS]],
                "slots": [slot.copy() if copy else slot for slot in self.slots]}

    def restore(self, state):
        """Go on from `state`, of an optimizer of the same name and shape; settings stay these."""
        self.check_state(state)
        self.steps = state["steps"]
        for i in range(len(optimizer_settings(self.name)), OPTIMIZER_NUMBERS):
            self.h[i] = state["numbers"][i]
        for slot, values in zip(self.slots, state["slots"]):
            slot[:] = values

    def is_finite(self):
        """Whether the slots are finite."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t n = self.network.parameters.size
        cdef bint finite = True
        cdef int i
        for i in range(len(self.slots)):
            finite = finite and k.is_finite(n, self.slot[i])
        return bool(finite)

    def check_state(self, state, tuple counts=("steps",)):
        """Raise unless `restore` can take all of it, and `counts` are whole numbers."""
        _checks.check_state(state, counts, ("numbers", "slots"))
        numbers, slots = state["numbers"], state["slots"]
        if not isinstance(slots, (list, tuple)):
            raise ValueError(f"the slots of a state must be a list of arrays, got {slots!r}")
        if self.name is None or state["optimizer"] != self.name:
            raise ValueError(f"this state is of a run with {state['optimizer']}, not of one "
                             f"like this with {self.name}")
        shapes = [[getattr(slot, "shape", None) for slot in part] for part in (slots, self.slots)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the slots of a state of {self.name} must be of the shapes "
                             f"{shapes[1]}, got {shapes[0]}")
        for slot in slots:
            if slot.dtype != self.network.dtype:
                raise ValueError(f"the slots of a state must be of {self.network.dtype}, "
                                 f"got {slot.dtype}")
        if not isinstance(numbers, (list, tuple)) or len(numbers) != OPTIMIZER_NUMBERS or not all(
                isinstance(number, (int, float)) for number in numbers):
            raise ValueError(f"the numbers of a state must be a list of {OPTIMIZER_NUMBERS} "
                             f"numbers, got {numbers!r}")

    cdef void scale_decay(self, double factor) noexcept nogil:
        """Have steps from now on take this share of weight_decay."""
        if self.decays:
            self.h[self.decays] = factor * self.weight_decay

    cdef void begin_step(self) noexcept nogil:
        """Count a step, and work out what depends on its number alone."""
        cdef const optimizer_t *f = &kernels_for(self.network.itemsize).optimizers[self.row]
        cdef Group *group
        cdef Py_ssize_t i
        self.steps += 1
        for i in range(self.n_groups):  # before `prepare`, which changes what a step leaves in h
            group = &self.groups[i]
            memcpy(group.h, self.h, OPTIMIZER_NUMBERS * sizeof(double))
            group.h[0] *= group.rate
            if self.decays:
                group.h[self.decays] *= group.decay
            if f.prepare:
                f.prepare(self.steps, group.h)
        if f.prepare:
            f.prepare(self.steps, self.h)

    cdef void step_all(self, const char *g) noexcept nogil:
        """The step of all parameters, whose gradient is g."""
        cdef Group *group
        cdef Py_ssize_t i
        if self.n_groups == 0:
            self.step_slice(0, self.network.size, g, 0)
        for i in range(self.n_groups):
            group = &self.groups[i]
            if group.size:
                self.step_slice(group.offset, group.size, g + group.offset, i)

    cdef void step_slice(self, Py_ssize_t offset, Py_ssize_t n, const char *g,
                         Py_ssize_t group) noexcept nogil:
        """The step of n parameters of a group, `offset` bytes from the first of all, whose gradient
        is g."""
        cdef const optimizer_t *f = &kernels_for(self.network.itemsize).optimizers[self.row]
        cdef const double *h = self.h
        cdef (void *)[8] slot
        cdef int i
        if self.n_groups:
            h = self.groups[group].h
        for i in range(f.slots):
            slot[i] = <char *>self.slot[i] + offset
        f.step(n, False, self.steps, h, self.network.w + offset, g, slot)
        if self.lower:
            kernels_for(self.network.itemsize).keep_within(
                n, self.lower + offset, self.upper + offset, self.network.w + offset)

    cdef void clip(self, Py_ssize_t n, char *g) noexcept nogil:
        """Shorten the gradient to `clip_norm`."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef double norm, factor, scale = 1
        if self.clip_norm > 0:
            norm = sqrt(k.dot(n, g, g))
            if isinf(norm):  # the squares overflow: g divided by a power of two
                scale = clip_scale(self.network.itemsize)
                k.scale(n, 1 / scale, g)
                norm = scale * sqrt(k.dot(n, g, g))
            factor = clip_factor(norm, self.clip_norm, scale)
            if factor != 1:
                k.scale(n, factor, g)

    cdef void clip_row_norms(self) noexcept nogil:
        """Shorten the weights to each neuron to `max_norm`."""
        cdef Layer *layer
        cdef Py_ssize_t l
        for l in range(self.network.n_layers):
            layer = &self.network.layers[l]
            kernels_for(self.network.itemsize).clip_row_norms(
                layer.n_in, self.network.lanes, layer.panels, layer.n_in * self.network.lanes,
                self.max_norm, self.network.w + layer.W)
