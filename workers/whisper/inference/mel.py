"""Log-mel spectrograms as in openai-whisper, without its padding of every window to 30 s."""

import torch
from torch import Tensor
from whisper.audio import HOP_LENGTH, N_FRAMES, log_mel_spectrogram

from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples


def log_mel(samples: Samples, mels: int, *, silence_s: float) -> Tensor:
    """Return the log-mel spectrogram of a window and the silence after it.

    Args:
        samples: 16 kHz mono, 30 s at most.
        mels: number of mel bands of the model, 80 or 128.
        silence_s: seconds of silence after the audio, which mark the end of speech for the model; at most
            as much as fits into 30 s.

    Returns:
        Shape (mels, frames), float32; frames are 10 ms and even in number.
    """
    wanted = len(samples) + round(silence_s * SAMPLE_RATE_HZ)
    frames = min(N_FRAMES, 2 * -(-wanted // (2 * HOP_LENGTH)))
    audio = torch.from_numpy(samples)[: frames * HOP_LENGTH]
    mel: Tensor = log_mel_spectrogram(audio, mels, padding=frames * HOP_LENGTH - len(audio))
    return mel[:, :frames]
