"""CPU kernels for attention over the decoder's KV cache, limited only by memory bandwidth.

In a decoding step each window has one query against up to 1500 keys per head. PyTorch computes this as a
batch of float32 matrix-vector products, and has no such product for 8-bit keys.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@numba.njit(parallel=True, fastmath=True, nogil=True, cache=True)
def attend(
    query: Floats,
    keys: NDArray[np.generic],
    key_scales: Floats,
    values: NDArray[np.generic],
    value_scales: Floats,
    rows: Ints,
    lengths: Ints,
    out: Floats,
) -> None:
    """Write the attention of one query per row into `out`.

    Args:
        query: shape (n, heads, depth), already divided by the square root of the depth.
        keys: shape (windows, heads, positions, depth), int8 or float32.
        key_scales: shape (windows, heads, positions): the factor of each key.
        values: like `keys`.
        value_scales: like `key_scales`.
        rows: shape (n,): the window of each query.
        lengths: shape (n,): the number of positions visible to each query.
        out: shape (n, heads, depth).
    """
    n, heads, depth = query.shape
    for job in numba.prange(n * heads):
        i, head = job // heads, job % heads
        row, length = rows[i], lengths[i]
        weights = np.empty(length, np.float32)
        largest = np.float32(-np.inf)
        for t in range(length):
            dot = np.float32(0.0)
            for d in range(depth):
                dot += query[i, head, d] * np.float32(keys[row, head, t, d])
            dot *= key_scales[row, head, t]
            weights[t] = dot
            largest = max(largest, dot)
        total = np.float32(0.0)
        mixed = np.zeros(depth, np.float32)
        for t in range(length):
            weight = np.exp(weights[t] - largest)
            total += weight
            weight *= value_scales[row, head, t]
            for d in range(depth):
                mixed[d] += weight * np.float32(values[row, head, t, d])
        for d in range(depth):
            out[i, head, d] = mixed[d] / total
