"""Log-mel features as Kaldi computes them, which is how CAM++ was trained.

The source is `torchaudio.compliance.kaldi.fbank` with 80 bins and no dither, as 3D-Speaker calls it
(https://github.com/modelscope/3D-Speaker, speakerlab/process/processor.py).
"""

from functools import lru_cache

import torch
from torch import Tensor

from workers.audio.audio_file import SAMPLE_RATE_HZ

BINS = 80
FRAME_SAMPLES = 400
SHIFT_SAMPLES = 160
FFT_SAMPLES = 512
LOWEST_HZ = 20.0
PREEMPHASIS = 0.97
POVEY_POWER = 0.85


def log_mel(samples: Tensor) -> Tensor:
    """Return the log-mel features of some windows of equal length, less each window's mean.

    Args:
        samples: 16 kHz float32 in [-1, 1], shape (windows, samples).

    Returns:
        Shape (windows, frames, BINS): a frame of 25 ms every 10 ms, whole frames only.
    """
    frames = samples.unfold(-1, FRAME_SAMPLES, SHIFT_SAMPLES)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - PREEMPHASIS * before) * _povey_window(samples.device)
    power = torch.fft.rfft(frames, FFT_SAMPLES).abs().square()[..., :-1]
    energies = power @ _mel_bank(samples.device)
    features = energies.clamp_min(torch.finfo(torch.float32).eps).log()
    centred: Tensor = features - features.mean(dim=-2, keepdim=True)
    return centred


@lru_cache(maxsize=2)
def _povey_window(device: torch.device) -> Tensor:
    return torch.hann_window(FRAME_SAMPLES, periodic=False, device=device).pow(POVEY_POWER)


@lru_cache(maxsize=2)
def _mel_bank(device: torch.device) -> Tensor:
    """Return the weights of the triangular bins, shape (FFT_SAMPLES / 2, BINS)."""
    bounds_hz = torch.tensor([LOWEST_HZ, SAMPLE_RATE_HZ / 2], dtype=torch.float64)
    lowest, highest = _mel(bounds_hz)
    edges = lowest + (highest - lowest) / (BINS + 1) * torch.arange(BINS + 2, dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    mels = _mel(torch.arange(FFT_SAMPLES // 2, dtype=torch.float64) * SAMPLE_RATE_HZ / FFT_SAMPLES)[:, None]
    rising, falling = (mels - left) / (centre - left), (right - mels) / (right - centre)
    return torch.minimum(rising, falling).clamp_min(0.0).to(device, torch.float32)


def _mel(frequency_hz: Tensor) -> Tensor:
    return 1127.0 * (1.0 + frequency_hz / 700.0).log()
