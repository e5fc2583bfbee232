"""kernels.h again, for Cython: the tables of native routines and how to reach them."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from cnn_core._control cimport stop_t

cdef extern from "kernels.h" nogil:
    enum: OPTIMIZER_NUMBERS
    enum: MOST_PERIODIC_WIDTH

    ctypedef struct matmul_args_t "matmul_args":
        Py_ssize_t rows, panels, depth
        const void *a
        Py_ssize_t a_row_stride, a_depth_stride
        const Py_ssize_t *row_index
        const Py_ssize_t *depth_index
        const void *b
        Py_ssize_t b_depth_stride, b_panel_stride
        const void *bias
        const void *row_bias
        int accumulate
        void *c
        Py_ssize_t c_row_stride, c_panel_stride
        void *bias_grad

    ctypedef struct activation_t "activation":
        const char *name
        bint per_row, needs_preactivation
        void (*forward)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row_stride,
                        Py_ssize_t col_stride, double activation_param, const void *z,
                        void *a) noexcept nogil
        void (*backward)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row_stride,
                         Py_ssize_t col_stride, double activation_param, const void *z,
                         const void *a, void *delta) noexcept nogil
        void (*along)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t ld, double activation_param,
                      const void *z, const void *a, const void *r_z, const void *g,
                      void *r_delta) noexcept nogil
        const char *param_name
        double default_param

    ctypedef struct loss_args_t "loss_args":
        Py_ssize_t rows, width, row_stride, col_stride
        double loss_param
        Py_ssize_t targets
        const double *quantiles
        Py_ssize_t n_quantiles
        const void *out
        const void *y
        const int32_t *label
        const void *row_scale
        void *delta
        void *row_losses

    ctypedef struct loss_t "loss":
        const char *name
        const char *fused_activations
        bint sparse
        void (*evaluate)(const loss_args_t *p) noexcept nogil
        void (*along)(const loss_args_t *p) noexcept nogil
        double low, high
        const char *param_name
        double default_param
        int heads

    enum:
        MOST_QUANTILES

    ctypedef struct optimizer_t "optimizer":
        const char *name
        const char *settings
        int slots
        void (*prepare)(int64_t t, double *h) noexcept nogil
        void (*step)(Py_ssize_t n, bint in_lanes, int64_t t, const double *h, void *w,
                     const void *g, void **slots) noexcept nogil

    ctypedef struct lanes_product_args_t "lanes_product_args":
        Py_ssize_t rows, columns, depth
        const void *a
        Py_ssize_t a_row_stride, a_depth_stride
        const void *b
        Py_ssize_t b_depth_stride, b_column_stride
        const void *bias
        int accumulate
        void *c
        Py_ssize_t c_column_stride

    ctypedef struct lanes_penalty_args_t "lanes_penalty_args":
        Py_ssize_t inputs, outputs, output_stride
        const double *l1
        const double *l2
        const void *w
        void *g
        double *penalty

    ctypedef struct dropout_t "dropout":
        uint64_t key
        uint32_t purpose, step, threshold
        double factor, shift, fill_value

    ctypedef struct periodic_t "periodic":
        Py_ssize_t n, frequencies, width
        const Py_ssize_t *column
        const void *parameters

    ctypedef struct function_t "function":
        const char *name
        double ulp
        void (*map)(Py_ssize_t n, const void *x, void *y) noexcept nogil

    ctypedef struct kernels_t "kernels":
        const char *isa
        const char *dtype
        Py_ssize_t itemsize, lanes, vector
        void (*matmul)(const matmul_args_t *p) noexcept nogil
        void (*transpose_panels)(Py_ssize_t n_in, Py_ssize_t n_out, Py_ssize_t input,
                                 Py_ssize_t inputs, Py_ssize_t output, Py_ssize_t outputs,
                                 const void *w, void *wt) noexcept nogil
        void (*transpose)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t ld, const void *x,
                          Py_ssize_t room, Py_ssize_t ld_y, void *y) noexcept nogil
        Py_ssize_t (*argmax)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row_stride,
                             Py_ssize_t col_stride, const void *out, double threshold,
                             Py_ssize_t *index) noexcept nogil
        Py_ssize_t (*count_correct)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row_stride,
                                    Py_ssize_t col_stride, const void *out, double threshold,
                                    const int32_t *label) noexcept nogil
        Py_ssize_t (*count_exact_match)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row_stride,
                                        Py_ssize_t col_stride, const void *out, double threshold,
                                        const void *y, double y_threshold) noexcept nogil
        void (*squared_residuals)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row_stride,
                                  Py_ssize_t col_stride, const void *out, const void *y,
                                  double *sums) noexcept nogil
        double (*add_penalty)(Py_ssize_t n, double l1, double l2, const void *w,
                              void *g) noexcept nogil
        void (*clip_row_norms)(Py_ssize_t n_in, Py_ssize_t stride, Py_ssize_t blocks,
                               Py_ssize_t block_stride, double max_norm, void *w) noexcept nogil
        void (*keep_within)(Py_ssize_t n, const void *lower, const void *upper,
                            void *w) noexcept nogil
        void (*embed)(const periodic_t *p, Py_ssize_t rows, Py_ssize_t x_stride, const void *x,
                      Py_ssize_t e_stride, void *e) noexcept nogil
        void (*embed_gradient)(const periodic_t *p, Py_ssize_t rows, Py_ssize_t first,
                               Py_ssize_t end, Py_ssize_t x_stride, const void *x,
                               Py_ssize_t delta_stride, const void *delta,
                               void *g) noexcept nogil
        void (*embed_back)(const periodic_t *p, Py_ssize_t rows, Py_ssize_t x_stride,
                           const void *x, Py_ssize_t delta_stride, const void *delta,
                           Py_ssize_t dx_stride, void *dx) noexcept nogil
        void (*embed_along)(const periodic_t *p, const periodic_t *v, Py_ssize_t rows,
                            Py_ssize_t x_stride, const void *x, Py_ssize_t e_stride,
                            void *r_e) noexcept nogil
        void (*embed_gradient_along)(const periodic_t *p, const periodic_t *v, Py_ssize_t rows,
                                     Py_ssize_t first, Py_ssize_t end, Py_ssize_t x_stride,
                                     const void *x, Py_ssize_t delta_stride, const void *delta,
                                     const void *r_delta, void *r_g) noexcept nogil
        void (*draw)(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index,
                     uint32_t *out) noexcept nogil
        void (*drop)(Py_ssize_t first, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t ld,
                     const dropout_t *d, const void *a, void *out, void *mask) noexcept nogil
        int (*is_finite)(Py_ssize_t n, const void *x) noexcept nogil
        double (*dot)(Py_ssize_t n, const void *x, const void *y) noexcept nogil
        void (*scale)(Py_ssize_t n, double factor, void *x) noexcept nogil
        void (*axpy)(Py_ssize_t n, double factor, const void *x, void *y) noexcept nogil
        void (*multiply)(Py_ssize_t n, const void *x, void *y) noexcept nogil
        void (*asinh)(Py_ssize_t n, const void *x, void *y) noexcept nogil
        double (*peak)(Py_ssize_t rounds, void *sink) noexcept nogil
        void (*lanes_product)(const lanes_product_args_t *p) noexcept nogil
        void (*lanes_penalty)(const lanes_penalty_args_t *p) noexcept nogil
        void (*gather_transposed)(Py_ssize_t rows, Py_ssize_t width, const void *const *row,
                                  Py_ssize_t ld, void *y) noexcept nogil
        void (*lanes_correct)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t ld, const void *out,
                              double threshold, const int32_t *label,
                              Py_ssize_t *correct) noexcept nogil
        void (*lanes_residuals)(Py_ssize_t rows, Py_ssize_t width, Py_ssize_t ld, const void *out,
                                const void *y, double *sums) noexcept nogil
        void (*lanes_losses)(Py_ssize_t rows, const void *losses, const void *weights,
                             double *totals) noexcept nogil
        void (*lanes_squares)(Py_ssize_t outputs, Py_ssize_t inputs, Py_ssize_t output_stride,
                              const void *g, void *squares) noexcept nogil
        void (*lanes_sum)(const void *parts, double *sums) noexcept nogil
        void (*lanes_scale)(Py_ssize_t n, const double *factors, void *x) noexcept nogil
        const activation_t *activations
        const loss_t *losses
        const optimizer_t *optimizers
        const function_t *functions

    ctypedef struct instruction_set_t "instruction_set":
        const char *name
        bint (*supported)() noexcept nogil
        const kernels_t *f32
        const kernels_t *f64

    const instruction_set_t *cnn_core_instruction_sets(int *count)


# The table of the active instruction set for elements of this size (4: float32, 8: float64).
cdef const kernels_t *kernels_for(Py_ssize_t itemsize) noexcept nogil

# That of the narrowest set whose vectors hold so many numbers, or else that of the active one.
cdef const kernels_t *kernels_for_lanes(Py_ssize_t itemsize, Py_ssize_t numbers) noexcept nogil

ctypedef void (*pool_task)(void *context, Py_ssize_t task, int worker) noexcept nogil

# Calls task(context, 0 .. tasks - 1, worker) on up to `threads` threads; returns when all are done
# (thread_pool.h). `pool_run_until`: of tasks that look at `stop`.
cdef void pool_run(pool_task task, void *context, Py_ssize_t tasks, const Py_ssize_t *cost,
                   int threads) noexcept nogil
cdef void pool_run_until(pool_task task, void *context, Py_ssize_t tasks, const Py_ssize_t *cost,
                         int threads, stop_t *stop) noexcept nogil
