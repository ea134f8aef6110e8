"""Which language is spoken, from several windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from whisper.tokenizer import Tokenizer

from workers.whisper.decoder import Decoder, Memory


@dataclass(frozen=True)
class Language:
    """A language and how sure it is."""

    code: str
    """ISO 639-1, or Whisper's own code of three letters."""
    probability: float


@torch.inference_mode()
def detect(decoder: Decoder, tokenizer: Tokenizer, memory: Memory, lengths_s: Sequence[float]) -> Language:
    """Return the language that the windows of a batch are in, long ones counting more.

    Args:
        decoder: the decoder of a multilingual model.
        tokenizer: knows the tokens of the languages.
        memory: caches filled with the windows' features.
        lengths_s: seconds of audio in each window.
    """
    hidden, _ = decoder.read([[tokenizer.sot]] * len(memory.lengths), memory)
    tokens = list(tokenizer.all_language_tokens)
    logits = decoder.logits(torch.cat(hidden))[:, tokens]
    weights = torch.tensor(lengths_s, device=logits.device)[:, None]
    chances = (logits.softmax(dim=-1) * weights).sum(dim=0) / weights.sum()
    best = int(chances.argmax())
    return Language(tokenizer.all_language_codes[best], float(chances[best]))
