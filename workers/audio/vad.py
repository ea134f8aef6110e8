"""Voice activity detection with silero-vad's network (https://github.com/snakers4/silero-vad), many frames per call.

The wheel's TorchScript model accepts one frame of 32 ms per call. Here its weights run as one convolution over a
block of frames and recurrent passes over it. One pass continues with the state of the block before, with the same
probabilities as silero's own. After music, noise or a change of speaker that state can stay deaf to clear speech for
many seconds, and the network hears a quiet voice badly. So other passes begin afresh every 2 s, with quiet sound
amplified. Speech is what either of them hears.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import EngineError
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples

FRAME_SAMPLES = 512
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ
CONTEXT_SAMPLES = 64  # of the previous frame, prepended to each frame as network input
STRIDES = (1, 2, 2, 1)
WIDTH = 128  # of the recurrent layer
BLOCK_FRAMES = 256  # frames per call of the speech detector: 8.2 s
RESTART_FRAMES = 64  # frames of a pass that begins without a state, 2 s; it hears as many before them first
LEVEL = 0.1  # RMS amplitude to which such a pass amplifies what it hears
LEVEL_QUANTILE = 0.8  # of its frames' levels, so that neither pauses nor a click decide
GREATEST_GAIN = 30.0
BINS, HOPS = 129, 4  # of a frame's spectrum

State = tuple[Tensor, Tensor]
"""Hidden and cell state of the recurrent layer."""


class SpeechDetector:
    """A speech detector for the frames of a stream, with the network's state between calls."""

    def __init__(self) -> None:
        self._basis, self._layers, self._recurrent, self._last = _network()
        self._context = torch.zeros(CONTEXT_SAMPLES)
        self._state = _no_state()
        self._levels = torch.zeros(RESTART_FRAMES)
        self._spectra = torch.zeros(RESTART_FRAMES, BINS, HOPS)

    @torch.inference_mode()
    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Return the speech probability of each frame; the frames continue those of the last call.

        Args:
            samples: a whole number of frames, shape (frames * FRAME_SAMPLES,).

        Returns:
            Shape (frames,), 0 to 1.
        """
        frames = torch.from_numpy(samples)
        spectra = self._spectra_of(frames)
        levels = frames.reshape(-1, FRAME_SAMPLES).square().mean(dim=1).sqrt()
        continued, self._state = self._recur(self._features(spectra)[None], self._state)
        return torch.maximum(continued[0], self._afresh(spectra, levels)).numpy()

    def _afresh(self, spectra: Tensor, levels: Tensor) -> Tensor:
        """Return the speech probability of each frame, heard without the network's state, at one level."""
        count = len(levels)
        spectra, self._spectra = _passes(self._spectra, spectra)
        levels, self._levels = _passes(self._levels, levels)
        gains = (LEVEL / levels.quantile(LEVEL_QUANTILE, dim=1).clamp_min(1e-9)).clamp(1.0, GREATEST_GAIN)
        heard = (spectra * gains[:, None, None, None]).flatten(0, 1)
        chances, _ = self._recur(self._features(heard).reshape(*levels.shape, WIDTH), _no_state(len(levels)))
        return chances[:, RESTART_FRAMES:].reshape(-1)[:count]

    def _spectra_of(self, samples: Tensor) -> Tensor:
        """Return the magnitudes of each frame, shape (frames, BINS, HOPS)."""
        stream = torch.cat([self._context, samples])
        self._context = stream[-CONTEXT_SAMPLES:].clone()
        x = stream.unfold(0, CONTEXT_SAMPLES + FRAME_SAMPLES, FRAME_SAMPLES)
        x = F.pad(x[:, None], (0, 64), mode="reflect")
        real, imaginary = F.conv1d(x, self._basis, stride=128).chunk(2, dim=1)
        return (real.square() + imaginary.square()).sqrt()

    def _features(self, spectra: Tensor) -> Tensor:
        """Return the input of the recurrent layer, shape (frames, WIDTH)."""
        x = spectra
        for (weight, bias), stride in zip(self._layers, STRIDES, strict=True):
            x = F.relu(F.conv1d(x, weight, bias, stride=stride, padding=1))
        return x[:, :, 0]

    def _recur(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the speech probabilities of passes, shape (passes, frames), and the state after the last frames."""
        hidden, *after = torch.lstm(features, state, self._recurrent, True, 1, 0.0, False, False, True)
        weight, bias = self._last
        return (F.relu(hidden) @ weight[0] + bias).sigmoid()[:, :, 0], (after[0], after[1])


def _passes(before: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frames that each pass heard afresh has, and the last RESTART_FRAMES of all.

    Args:
        before: the RESTART_FRAMES frames before these.
        frames: shape (frames, ...).

    Returns:
        The first of shape (passes, 2 * RESTART_FRAMES, ...).
    """
    known = torch.cat([before, frames])
    padding = known.new_zeros(-len(frames) % RESTART_FRAMES, *known.shape[1:])
    heard = torch.cat([known, padding]).unfold(0, 2 * RESTART_FRAMES, RESTART_FRAMES).movedim(-1, 1).contiguous()
    return heard, known[-RESTART_FRAMES:]


def _no_state(passes: int = 1) -> State:
    return torch.zeros(1, passes, WIDTH), torch.zeros(1, passes, WIDTH)


def frame_blocks(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Yield an audio stream in blocks of whole frames, at most BLOCK_FRAMES of them, the last padded with silence.

    Args:
        blocks: 16 kHz mono, of any lengths.
    """
    size = BLOCK_FRAMES * FRAME_SAMPLES
    waiting: list[Samples] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        while count >= size:
            joined = np.concatenate(waiting)
            yield joined[:size]
            waiting, count = [joined[size:]], count - size
    if count:
        yield np.pad(np.concatenate(waiting), (0, -count % FRAME_SAMPLES))


@lru_cache(maxsize=1)
def _network() -> tuple[Tensor, list[tuple[Tensor, Tensor]], list[Tensor], tuple[Tensor, Tensor]]:
    # Importing silero_vad would set torch to one thread for the whole process.
    spec = importlib.util.find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise EngineError("silero-vad is not installed; install it with `pip install silero-vad`.")
    path = Path(spec.origin).parent / "data" / "silero_vad.jit"
    script = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    weights = {name.removeprefix("_model."): value.detach().clone() for name, value in script.state_dict().items()}
    layers = [
        (weights[f"encoder.{i}.reparam_conv.weight"], weights[f"encoder.{i}.reparam_conv.bias"])
        for i in range(len(STRIDES))
    ]
    recurrent = [weights[f"decoder.rnn.{part}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    last = (weights["decoder.decoder.2.weight"], weights["decoder.decoder.2.bias"])
    return weights["stft.forward_basis_buffer"], layers, recurrent, last
