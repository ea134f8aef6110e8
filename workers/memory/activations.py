"""Memory of activations and caches, tensor by tensor.

`tests/unit/test_activations.py` runs the real engines at full size on tensors without data and compares the
peak of live tensors.
"""

from math import ceil

from workers.memory.geometry import VoxtralGeometry, WhisperGeometry

NUMBER_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 4}
"""Bytes per activation value; int8 has float32 around its products."""
QUANTIZED_BYTES = {"int8": 1.0, "nf4": 0.516}
"""Bytes per quantized weight; nf4 has half a byte, and one 8-bit scale per 64 weights."""
POSITIONS = 1500
TEXT_CONTEXT = 448
BEAMS = 5
AGAIN = 8
"""Windows of which one is decoded again by beam search within the batch's memory; if more are, the batch is halved."""
_ENCODER_TENSORS = 15
"""Tensors of (positions, width) alive at the peak of Whisper's encoder, which is inside the MLP of a layer."""
_ALIGNMENT_BYTES = 2 * 10 * 128 * POSITIONS * 4
"""Bytes of the attention scores for word timing: ten heads, 30 s of speech, float32, and a concatenated copy."""
_STORING_TENSORS = 5
"""Tensors of (positions, width): keys and values of one window while they are stored in the cache."""
TOKENS_PER_CHUNK = 375
CHUNK_S = 30.0
CHUNKS_AT_ONCE = 8
SPARE_TOKENS = 1024
"""Tokens reserved in the KV cache for question and answer."""
_PREFILL_WIDTHS = 8
_PREFILL_INTERMEDIATES = 3


def whisper_bytes(model: WhisperGeometry, precision: str, batch: int) -> int:
    """Return the peak memory of a batch of windows of 30 s: the larger of encoding and decoding."""
    number = NUMBER_BYTES[precision]
    features = POSITIONS * model.width * number
    mel = 2 * POSITIONS * model.mels * 4
    audio = 2 * features * model.text_layers
    text = 2 * TEXT_CONTEXT * model.width * number * model.text_layers
    encoding = batch * (_ENCODER_TENSORS * features + mel)
    again = ceil(batch / AGAIN) * (audio + BEAMS * text)
    more = max(again, batch * _ALIGNMENT_BYTES) + _STORING_TENSORS * features
    decoding = batch * (features + audio + text) + more
    return max(encoding, decoding)


def whisper_loading_bytes(model: WhisperGeometry, precision: str) -> int:
    """Return the memory of loading besides the weights: fused matrices exist beside the original ones."""
    return model.parameters * NUMBER_BYTES[precision] // 3


def voxtral_bytes(model: VoxtralGeometry, precision: str, section_s: float, rows: int) -> int:
    """Return the peak memory of `rows` parallel sections: the larger of encoding chunks and prefilling the audio."""
    number = NUMBER_BYTES[precision]
    chunks = ceil(section_s / CHUNK_S)
    tokens = rows * chunks * TOKENS_PER_CHUNK
    features = tokens * model.width * number
    at_once = min(chunks, CHUNKS_AT_ONCE)
    encoding = at_once * _ENCODER_TENSORS * POSITIONS * model.audio_width * number + features
    cache = (tokens + rows * SPARE_TOKENS) * model.cache_numbers * number
    wide = _PREFILL_WIDTHS * model.width + _PREFILL_INTERMEDIATES * model.intermediate
    return max(encoding, cache + tokens * wide * number)


def voxtral_weights_bytes(model: VoxtralGeometry, precision: str, quantize: str | None) -> int:
    """Return the memory of the loaded weights."""
    number = NUMBER_BYTES[precision]
    if quantize is None:
        return model.parameters * number
    return int(model.linear * QUANTIZED_BYTES[quantize] + (model.parameters - model.linear) * number)
