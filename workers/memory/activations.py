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
_PARALLEL_BATCHES = 2
_ENCODER_TENSORS = 15
"""Tensors of (positions, width) alive at the peak of Whisper's encoder, which is inside the MLP of a layer."""
_ALIGNMENT_BYTES = 2 * 10 * 128 * POSITIONS * 4
"""Bytes of the attention scores for word timing: ten heads, 30 s of speech, float32, and a concatenated copy."""
_STORING_TENSORS = 5
"""Tensors of (positions, width): keys and values of one window while they are stored in the cache."""
TOKENS_PER_CHUNK = 375
CHUNK_S = 30.0
_CHUNKS_AT_ONCE = 8
_PIECE_TOKENS = 512
"""Tokens of one pass of the language model's prefill on a CPU, all rows together. Larger products are hardly faster
there, and the fast leg waits for one layer of such a pass at most."""
QUESTIONS_AT_ONCE = 2
"""Questions about a section that are decoded side by side; each has a row of its own in the cache of answers."""
_QUESTION_TOKENS = 512
ANSWER_TOKENS = 1792
"""Tokens reserved in that cache for a question and an answer within its usual limit; it grows in multiples of 256."""
_MOVED = 1 / 60
"""Share of that cache that exists twice while it grows: the keys of one layer, of which Mini has 30."""
SPEAKERS_WEIGHTS_BYTES = 28_000_000
SPEAKERS_WORK_BYTES = 75_000_000
"""Memory of CAM++ and of a batch of its windows, measured on a CPU; Whisper's pool never computes both at once."""
_PREFILL_WIDTHS = 8
_PREFILL_INTERMEDIATES = 3


def batches_at_once(device_type: str) -> int:
    """Return the number of batches of windows that Whisper works on at once, each with memory of its own.

    On a CPU encoding is limited by arithmetic and decoding by memory, so two batches overlap.
    """
    return _PARALLEL_BATCHES if device_type == "cpu" else 1


def chunks_at_once(device_type: str) -> int:
    """Return the number of chunks of 30 s that Voxtral encodes in one pass; a single one occupies a CPU."""
    return _CHUNKS_AT_ONCE if device_type == "cuda" else 1


def piece_tokens(device_type: str, rows: int, tokens: int) -> int:
    """Return the number of tokens of each row in one pass of the prefill: all of them on a CUDA device."""
    return tokens if device_type == "cuda" else max(1, _PIECE_TOKENS // rows)


def whisper_bytes(model: WhisperGeometry, precision: str, batch: int) -> int:
    """Return the peak memory of a batch of windows of 30 s: the larger of encoding and decoding."""
    number = NUMBER_BYTES[precision]
    features = POSITIONS * model.width * number
    mel = 2 * POSITIONS * model.mels * 4
    audio = 2 * features * model.text_layers
    text = 2 * TEXT_CONTEXT * model.width * number * model.text_layers
    encoding = batch * (_ENCODER_TENSORS * features + mel)
    again = ceil(batch / model.windows_per_search) * (audio + BEAMS * text)
    more = max(again, batch * _ALIGNMENT_BYTES) + _STORING_TENSORS * features
    decoding = batch * (features + audio + text) + more
    return max(encoding, decoding)


def whisper_loading_bytes(model: WhisperGeometry, precision: str, device_type: str) -> int:
    """Return the memory of loading besides the weights.

    On a CUDA device, fused matrices exist beside the original ones. On a CPU, every weight is prepared while
    openai-whisper's model, which is in float32, still exists.
    """
    if device_type == "cuda":
        return model.parameters * NUMBER_BYTES[precision] // 3
    return model.parameters * NUMBER_BYTES["fp32"]


def voxtral_bytes(model: VoxtralGeometry, precision: str, section_s: float, rows: int, device_type: str) -> int:
    """Return the peak memory of `rows` parallel sections: the largest of encoding, prefilling and answering."""
    number = NUMBER_BYTES[precision]
    chunks = ceil(section_s / CHUNK_S)
    tokens = rows * chunks * TOKENS_PER_CHUNK
    features = tokens * model.width * number
    at_once = min(chunks, chunks_at_once(device_type))
    encoding = at_once * _ENCODER_TENSORS * POSITIONS * model.audio_width * number + features
    wide = (_PREFILL_WIDTHS * model.width + _PREFILL_INTERMEDIATES * model.intermediate) * number
    cache = tokens * model.cache_numbers * number
    prefill = 2 * features + cache + min(tokens, rows * piece_tokens(device_type, rows, tokens)) * wide
    answers = rows * QUESTIONS_AT_ONCE
    asking = _QUESTION_TOKENS * (model.cache_numbers * number + wide)
    answered = (1 + _MOVED) * ANSWER_TOKENS * model.cache_numbers * number
    answering = features + cache + ceil(answers * max(asking, answered))
    return max(encoding, prefill, answering)


def voxtral_weights_bytes(model: VoxtralGeometry, precision: str, quantize: str | None) -> int:
    """Return the memory of the loaded weights."""
    number = NUMBER_BYTES[precision]
    if quantize is None:
        return model.parameters * number
    return int(model.linear * QUANTIZED_BYTES[quantize] + (model.parameters - model.linear) * number)
