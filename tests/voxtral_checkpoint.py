"""A tiny Voxtral of the real layout with random weights: it proves the code path, never quality.

About 2 MB and 434 k parameters, built in a few seconds without a network. The tokenizer is the first
1,024 entries of one that mistral-common ships, given the audio section which those lack.
"""

import json
from pathlib import Path

import torch
from mistral_common.tokens.tokenizers.base import SpecialTokens
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from transformers import (
    GenerationConfig,
    MistralCommonBackend,
    VoxtralConfig,
    VoxtralForConditionalGeneration,
    VoxtralProcessor,
    WhisperFeatureExtractor,
)

from workers.voxtral.model import VoxtralModel

TEXT_TOKENS = 1024
SPECIAL_TOKENS = 1000


def build(folder: Path, *, hidden: int = 32, layers: int = 2, seed: int = 0) -> Path:
    """Write the checkpoint into a folder and return it.

    `hidden` is the encoder's width (the language model is twice as wide), `layers` the depth of both:
    a benchmark takes more of either.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_tekken(folder / "tekken.json")
    torch.manual_seed(seed)
    model = VoxtralForConditionalGeneration(
        VoxtralConfig(
            audio_config={
                "hidden_size": hidden,
                "intermediate_size": 4 * hidden,
                "num_hidden_layers": layers,
                "num_attention_heads": 2,
                "num_mel_bins": 128,
                "max_source_positions": 1500,
            },
            text_config={
                "vocab_size": TEXT_TOKENS + SPECIAL_TOKENS,
                "hidden_size": 2 * hidden,
                "intermediate_size": 4 * hidden,
                "num_hidden_layers": layers,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "max_position_embeddings": 131072,
            },
            audio_token_id=24,
        )
    )
    _liven(model)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=11)
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(
        feature_size=128, sampling_rate=16_000, hop_length=160, chunk_length=30, n_fft=400
    )
    VoxtralProcessor(extractor, MistralCommonBackend.from_pretrained(str(folder))).save_pretrained(folder)
    return folder


def write_tekken(path: Path) -> None:
    """Write a tekken.json of the real layout: 1,000 special tokens, then 1,024 of text."""
    whole = json.loads((MistralTokenizer._data_path() / "tekken_240718.json").read_text("utf-8"))
    names = {token["rank"]: token["token_str"] for token in Tekkenizer.DEPRECATED_SPECIAL_TOKENS}
    names |= {24: SpecialTokens.audio, 25: SpecialTokens.begin_audio, 32: SpecialTokens.args}
    names |= {33: SpecialTokens.call_id, 34: SpecialTokens.transcribe}
    special = [
        {"rank": rank, "token_str": str(getattr(name, "value", name)), "is_control": True}
        for rank in range(SPECIAL_TOKENS)
        for name in [names.get(rank, f"<SPECIAL_{rank}>")]
    ]
    tekken = {
        "config": {
            "pattern": whole["config"]["pattern"],
            "num_vocab_tokens": TEXT_TOKENS,
            "default_vocab_size": TEXT_TOKENS + SPECIAL_TOKENS,
            "default_num_special_tokens": SPECIAL_TOKENS,
            "version": "v7",
        },
        "vocab": whole["vocab"][:TEXT_TOKENS],  # the 256 bytes, then merges by rank
        "special_tokens": special,
        "audio": {
            "sampling_rate": 16_000,
            "frame_rate": 12.5,
            "chunk_length_s": 30.0,
            "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
        },
    }
    path.write_text(json.dumps(tekken), encoding="utf-8")


def make_brief(voxtral: VoxtralModel) -> None:
    """Let a loaded model end its strings and lists soon: what it is asked then takes a fraction of the time."""
    with torch.no_grad():
        for end in ('"', "]", "}"):
            voxtral.model.lm_head.weight[voxtral.encode(end)] *= 3


def _liven(model: VoxtralForConditionalGeneration) -> None:
    # Freshly drawn weights are so small that every audio gives the same few tokens; a comparison of
    # two ways of asking would then pass whatever the audio did.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed_positions" not in name:
                weight.mul_(20 if name.startswith("lm_head") else 8)
