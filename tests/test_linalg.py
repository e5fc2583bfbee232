"""Products and panels: the layout, the same bits on every path, accuracy, and where NaN and
infinity go."""

import numpy as np
import pytest
from cnn_core._linalg import affine, matmul, matvec, pack, transpose_panels, unpack
from reference_numpy import same_bits


def lanes(dtype):
    return 64 // np.dtype(dtype).itemsize


def sizes(dtype):
    """Nothing, one, around the 6 rows of a tile, around one panel, beyond several panels."""
    width = lanes(dtype)
    return [0, 1, 2, 5, 6, 7, width - 1, width, width + 1, 2 * width + 1, 4 * width + 3, 130]


def numbers(dtype, *shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def padded(b):
    """A bias as the kernels want it: zeros up to whole panels."""
    width = lanes(b.dtype)
    return np.pad(b, (0, -len(b) % width))


def assert_close_to_exact(got, A, B, start=0.0):
    """|got - (start + A B)| <= n eps (|start| + |A| |B|), the bound for sums of n terms in any
    order (Higham 2002, section 3.1: n u with u = eps / 2). NumPy's own float64 sum has as much,
    hence eps.
    """
    A, B, start = (np.asarray(x, np.float64) for x in (A, B, start))
    n = A.shape[-1] + 1
    bound = n * np.finfo(got.dtype).eps * (np.abs(start) + np.abs(A) @ np.abs(B))
    assert np.all(np.abs(got - (start + A @ B)) <= bound)


# Panels.


def test_pack_puts_neighbouring_outputs_into_one_panel(dtype):
    width = lanes(dtype)
    for n_out in sizes(dtype):
        for n_in in (0, 1, 7, width):
            W = numbers(dtype, n_out, n_in)
            panels = pack(W)
            assert panels.shape == (-(-n_out // width), n_in, width)
            for o in range(len(panels) * width):
                expected = W[o] if o < n_out else np.zeros(n_in, dtype)
                assert same_bits(panels[o // width, :, o % width], expected)


def test_pack_begins_on_a_cache_line(dtype):
    assert pack(numbers(dtype, 5, 3)).__array_interface__["data"][0] % 64 == 0


def test_pack_clears_the_padding_of_an_array_it_is_given(dtype):
    W = numbers(dtype, lanes(dtype) + 1, 3)
    out = np.full((2, 3, lanes(dtype)), np.nan, dtype)
    pack(W, out)
    assert same_bits(out, pack(W))


def test_unpack_gives_back_what_was_packed(dtype):
    for n_out in sizes(dtype):
        for n_in in sizes(dtype):
            W = numbers(dtype, n_out, n_in)
            assert same_bits(unpack(pack(W), n_out), W)


def test_unpack_fills_an_array_it_is_given(dtype):
    W = numbers(dtype, 7, 3)
    out = np.empty_like(W)
    unpack(pack(W), 7, out)
    assert same_bits(out, W)


def test_transposed_panels_are_the_panels_of_the_transpose(isa, dtype):
    for n_out in sizes(dtype):
        for n_in in sizes(dtype):
            W = numbers(dtype, n_out, n_in)
            assert same_bits(transpose_panels(pack(W), n_out), pack(np.ascontiguousarray(W.T))), (
                n_out,
                n_in,
            )


def test_transposing_ignores_what_stands_in_the_padding(isa, dtype):
    W = numbers(dtype, lanes(dtype) + 2, 5)
    panels = pack(W)
    panels[1, :, 2:] = np.nan
    assert same_bits(transpose_panels(panels, len(W)), pack(np.ascontiguousarray(W.T)))


# The same bits.


def test_affine_bits_are_those_of_the_scalar_path(vector_isa, dtype, on_generic):
    for rows in sizes(dtype):
        for n_in in sizes(dtype):
            X = numbers(dtype, rows, n_in)
            for n_out in sizes(dtype):
                panels, b = pack(numbers(dtype, n_out, n_in)), padded(numbers(dtype, n_out))
                assert same_bits(affine(X, panels, b), on_generic(affine, X, panels, b)), (
                    rows,
                    n_in,
                    n_out,
                )


def test_affine_without_bias_has_the_bits_of_a_zero_bias(isa, dtype):
    for rows, n_in, n_out in ((1, 3, 2), (7, 33, 40), (6, 0, 5)):
        X, panels = numbers(dtype, rows, n_in), pack(numbers(dtype, n_out, n_in))
        assert same_bits(affine(X, panels), affine(X, panels, padded(np.zeros(n_out, dtype))))


def test_matmul_and_matvec_bits_are_those_of_the_scalar_path(vector_isa, dtype, on_generic):
    for m in sizes(dtype):
        for k in sizes(dtype):
            A, x, b = numbers(dtype, m, k), numbers(dtype, k), numbers(dtype, m)
            assert same_bits(matvec(A, x, b), on_generic(matvec, A, x, b)), (m, k)
            for n in (0, 1, lanes(dtype) + 1, 130):
                B = numbers(dtype, k, n)
                assert same_bits(matmul(A, B), on_generic(matmul, A, B)), (m, k, n)


def test_each_row_alone_equals_its_row_in_the_batch(isa, dtype):
    for rows in (5, 6, 13, 130):
        for n_out in (1, lanes(dtype), 4 * lanes(dtype) + 3, 10 * lanes(dtype)):
            X, panels, b = (
                numbers(dtype, rows, 33),
                pack(numbers(dtype, n_out, 33)),
                padded(numbers(dtype, n_out)),
            )
            together = affine(X, panels, b)
            alone = np.concatenate([affine(X[r : r + 1], panels, b) for r in range(rows)])
            assert same_bits(together, alone), (rows, n_out)


def test_any_alignment_gives_the_same_bits(isa, dtype):
    X, W, b = numbers(dtype, 7, 5), numbers(dtype, 20, 5), padded(numbers(dtype, 20))
    panels = pack(W)
    shifted = []
    for array in (X, panels, b, np.empty((7, len(b)), dtype)):
        buffer = np.empty(array.size + 1, dtype)
        shifted.append(buffer[1:].reshape(array.shape))
        shifted[-1][:] = array
    affine(*shifted)
    assert same_bits(shifted[3], affine(X, panels, b))


def test_products_are_fused_and_added_one_after_the_other(isa, dtype):
    eps = np.finfo(dtype).eps
    big = 2 / eps  # 1 vanishes beside it
    in_order = np.array([[big, 1, -big], [big, -big, 1]], dtype)
    assert matmul(in_order, np.ones((3, 1), dtype)).ravel().tolist() == [0, 1]
    assert matvec(
        np.array([[big, -big]], dtype), np.ones(2, dtype), np.ones(1, dtype)
    ).tolist() == [0]
    # (1 + eps)^2 - (1 + 2 eps) is eps^2 with one rounding, and 0 where the product is rounded by
    # itself.
    x = np.array([[1 + eps]], dtype)
    start = padded(np.array([-(1 + 2 * eps)], dtype))
    assert affine(x, pack(x), start)[0, 0] == eps**2


# Right.


@pytest.mark.slow
def test_affine_agrees_with_numpy(isa, dtype):
    for rows in (0, 1, 6, 7, 130):
        for n_in in sizes(dtype):
            for n_out in sizes(dtype):
                X, W, b = (
                    numbers(dtype, rows, n_in),
                    numbers(dtype, n_out, n_in),
                    numbers(dtype, n_out),
                )
                z = affine(X, pack(W), padded(b))
                assert z.dtype == dtype and z.shape == (rows, len(padded(b)))
                assert_close_to_exact(z[:, :n_out], X, W.T, b)
                assert not z[:, n_out:].any()


def test_matmul_agrees_with_numpy(isa, dtype):
    for m in (0, 1, 7, 33):
        for k in sizes(dtype):
            for n in sizes(dtype):
                A, B = numbers(dtype, m, k), numbers(dtype, k, n)
                product = matmul(A, B)
                assert product.dtype == dtype and product.shape == (m, n)
                assert_close_to_exact(product, A, B)


def test_matvec_agrees_with_numpy(isa, dtype):
    for n_out in sizes(dtype):
        for n_in in sizes(dtype):
            W, x, b = numbers(dtype, n_out, n_in), numbers(dtype, n_in), numbers(dtype, n_out)
            z = matvec(W, x, b)
            assert z.dtype == dtype and z.shape == (n_out,)
            assert_close_to_exact(z, W, x, b)
            assert_close_to_exact(matvec(W, x), W, x)


def test_whole_numbers_come_out_exactly(isa, dtype):
    rng = np.random.default_rng(3)
    A, B = rng.integers(-50, 50, (13, 70)), rng.integers(-50, 50, (70, 37))
    assert np.array_equal(matmul(A.astype(dtype), B.astype(dtype)), A @ B)


def test_out_is_filled_and_returned(isa, dtype):
    X, panels = numbers(dtype, 7, 5), pack(numbers(dtype, 3, 5))
    out = np.full((7, lanes(dtype)), np.nan, dtype)
    returned = affine(X, panels, None, out)
    assert np.shares_memory(returned, out)
    assert same_bits(out, affine(X, panels))


def test_inputs_are_left_alone_and_may_be_read_only(isa, dtype):
    X, W, x, b = numbers(dtype, 7, 5), numbers(dtype, 20, 5), numbers(dtype, 5), numbers(dtype, 20)
    panels, bias, Wt = pack(W), padded(b), np.ascontiguousarray(W.T)
    expected = (
        affine(X, panels, bias),
        matmul(X, Wt),
        matvec(W, x, b),
        transpose_panels(panels, 20),
        unpack(panels, 20),
    )
    inputs = X, W, x, b, panels, bias, Wt
    copies = [array.copy() for array in inputs]
    for array in inputs:
        array.flags.writeable = False
    got = (
        affine(X, panels, bias),
        matmul(X, Wt),
        matvec(W, x, b),
        transpose_panels(panels, 20),
        unpack(panels, 20),
    )
    assert same_bits(pack(W), panels)
    assert all(map(same_bits, got, expected))
    assert all(map(same_bits, inputs, copies))


# NaN and infinity.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_input_reaches_its_row_and_no_other(bad, isa, dtype):
    n_out = lanes(dtype) + 1
    X, W, b = numbers(dtype, 7, 5), numbers(dtype, n_out, 5), numbers(dtype, n_out)
    panels, bias = pack(W), padded(b)
    clean = affine(X, panels, bias)[:, :n_out]
    for r, k in np.ndindex(X.shape):
        spoiled = X.copy()
        spoiled[r, k] = bad
        z = affine(spoiled, panels, bias)[:, :n_out]
        assert not np.isfinite(z[r]).any()
        assert same_bits(np.delete(z, r, axis=0), np.delete(clean, r, axis=0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_weight_or_bias_reaches_its_output_and_no_other(bad, isa, dtype):
    n_out = lanes(dtype) + 1
    X, W, b = numbers(dtype, 7, 5), numbers(dtype, n_out, 5), numbers(dtype, n_out)
    clean = affine(X, pack(W), padded(b))[:, :n_out]
    for o in range(n_out):
        for k in range(6):
            spoiled_W, spoiled_b = W.copy(), b.copy()
            if k < 5:
                spoiled_W[o, k] = bad
            else:
                spoiled_b[o] = bad
            z = affine(X, pack(spoiled_W), padded(spoiled_b))[:, :n_out]
            assert not np.isfinite(z[:, o]).any()
            assert same_bits(np.delete(z, o, axis=1), np.delete(clean, o, axis=1))


def test_infinity_is_infinity_and_not_nan(isa, dtype):
    W = np.array([[1, 2], [-1, 2], [0, 1]], dtype)
    got = matvec(W, np.array([np.inf, 1], dtype))
    assert same_bits(got, np.array([np.inf, -np.inf, np.nan], dtype))


# Errors.


@pytest.mark.parametrize(
    "call, shapes",
    [
        (lambda zeros: affine(zeros(2, 5), pack(zeros(4, 3))), [(2, 5), (1, 3)]),
        (lambda zeros: affine(zeros(2, 3), zeros(1, 3, 4)), [(2, 3), (1, 3, 4)]),
        (lambda zeros: matmul(zeros(2, 3), zeros(4, 5)), [(2, 3), (4, 5)]),
        (lambda zeros: matvec(zeros(2, 3), zeros(4)), [(2, 3), (4,)]),
        (lambda zeros: matvec(zeros(2, 3), zeros(3), zeros(5)), [(2,), (5,)]),
        (lambda zeros: affine(zeros(2, 3), pack(zeros(16, 3)), zeros(5)), [(16,), (5,)]),
        (
            lambda zeros: affine(zeros(2, 3), pack(zeros(16, 3)), None, zeros(3, 16)),
            [(2, 16), (3, 16)],
        ),
        (lambda zeros: pack(zeros(4, 3), zeros(5, 3, 2)), [(1, 3), (5, 3, 2)]),
        (lambda zeros: unpack(pack(zeros(4, 3)), 4, zeros(3, 4)), [(4, 3), (3, 4)]),
        (lambda zeros: unpack(pack(zeros(4, 3)), 99), [(1, 3), 99]),
        (lambda zeros: transpose_panels(pack(zeros(4, 3)), 99), [(1, 3), 99]),
    ],
)
def test_shapes_that_do_not_go_together_are_named(call, shapes, dtype):
    with pytest.raises(ValueError) as error:
        call(lambda *shape: np.zeros(shape, dtype))
    for shape in shapes:
        assert str(shape).rstrip(")") in str(error.value)


def test_arrays_that_are_not_contiguous_are_refused(dtype):
    with pytest.raises(ValueError, match="contiguous"):
        matmul(np.zeros((3, 4), dtype).T, np.zeros((3, 2), dtype))


def test_mixed_dtypes_are_refused():
    with pytest.raises(TypeError, match="B must be of float32 as A is, got float64"):
        matmul(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float64))
