"""Spectral clustering of voices, with the algorithm and the values of 3D-Speaker.

https://github.com/modelscope/3D-Speaker, speakerlab/process/cluster.py and
egs/3dspeaker/speaker-diarization/conf/diar.yaml.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.cluster import KMeans

Labels = NDArray[np.int64]
"""The number of each voice's cluster, shape (voices,)."""
KEPT = 0.012
"""Share of each voice's similarities that are kept, the largest."""
LEAST_KEPT = 6
MOST_CLUSTERS = 15


def spectral_clusters(voices: NDArray[np.float64], least: int, most: int = MOST_CLUSTERS) -> Labels:
    """Return the cluster of each voice; the number of clusters is at the largest gap between eigenvalues.

    Memory grows with the square of the number of voices, and time with its cube.

    Args:
        voices: shape (voices, size); at least LEAST_KEPT of them.
        least: least number of clusters.
        most: most clusters; where it equals `least`, there are as many.
    """
    least = min(least, len(voices))
    most = min(max(most, least), len(voices))
    values, vectors = eigh(_laplacian(voices), subset_by_index=(0, min(most, len(voices) - 1)))
    gaps = np.diff(values[least - 1 :])
    count = least + (int(gaps.argmax()) if len(gaps) else 0)
    found: Labels = KMeans(n_clusters=count, random_state=0).fit_predict(vectors[:, :count]).astype(np.int64)
    return found


def _laplacian(voices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unnormalised Laplacian of the graph of each voice's nearest."""
    unit = voices / np.linalg.norm(voices, axis=1, keepdims=True)
    near = unit @ unit.T
    dropped = max(min(int((1 - KEPT) * len(near)), len(near) - LEAST_KEPT), 0)
    np.put_along_axis(near, near.argsort(axis=1)[:, :dropped], 0.0, axis=1)
    near = (near + near.T) / 2
    np.fill_diagonal(near, 0.0)
    laplacian: NDArray[np.float64] = np.diag(np.abs(near).sum(axis=1)) - near
    return laplacian
