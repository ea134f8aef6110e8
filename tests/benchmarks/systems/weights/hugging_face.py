"""Whisper's checkpoint as the folder that transformers loads and that the exporters of others start from.

The vocabulary, the alignment heads and the tokens that are never said come from the wheels of `ctranslate2`. The names
of the variables are those of transformers' own converter, which its wheel leaves out,
https://github.com/huggingface/transformers/blob/main/src/transformers/models/whisper/convert_openai_to_hf.py.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from whisper.tokenizer import get_tokenizer

from tests.benchmarks.systems.weights import ctranslate2

NAMES = {
    "blocks": "layers", "mlp.0": "fc1", "mlp.2": "fc2", "mlp_ln": "final_layer_norm", "cross_attn": "encoder_attn",
    ".attn": ".self_attn", "attn_ln": "attn_layer_norm", "attn.query": "attn.q_proj", "attn.key": "attn.k_proj",
    "attn.value": "attn.v_proj", "attn.out": "attn.out_proj", "ln_post": "layer_norm", "decoder.ln.":
    "decoder.layer_norm.", "token_embedding": "embed_tokens", "positional_embedding": "embed_positions.weight",
}  # fmt: skip
"""Parts of openai-whisper's names, replaced in this order."""


def convert(checkpoint: Path, target: Path) -> None:
    """Write the model, the vocabulary in each of its spellings, and the settings of its generation."""
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    ctranslate2.convert(checkpoint, target)
    (target / "model.bin").unlink()
    generation = _generation(json.loads((target / "config.json").read_text()))
    model: Any = transformers.WhisperForConditionalGeneration(_config(loaded["dims"], generation))
    variables = {"proj_out.weight": loaded["model_state_dict"]["decoder.token_embedding.weight"].float()}
    for name, tensor in loaded["model_state_dict"].items():
        for theirs, here in NAMES.items():
            name = name.replace(theirs, here)
        variables[f"model.{name}"] = tensor.float()
    model.load_state_dict(variables)
    model.generation_config = generation
    model.save_pretrained(target)
    extractor: Any = transformers.WhisperFeatureExtractor
    extractor(feature_size=loaded["dims"]["n_mels"]).save_pretrained(target)
    _write_vocabulary(target)


def _config(dims: dict[str, int], generation: Any) -> transformers.WhisperConfig:
    ids = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    settings: dict[str, Any] = {name: getattr(generation, name) for name in ids}
    for part, kind in (("encoder", "audio"), ("decoder", "text")):
        settings[f"{part}_layers"] = dims[f"n_{kind}_layer"]
        settings[f"{part}_attention_heads"] = dims[f"n_{kind}_head"]
        settings[f"{part}_ffn_dim"] = 4 * dims[f"n_{kind}_state"]
    return transformers.WhisperConfig(
        vocab_size=dims["n_vocab"], num_mel_bins=dims["n_mels"], d_model=dims["n_audio_state"],
        max_source_positions=dims["n_audio_ctx"], max_target_positions=dims["n_text_ctx"], **settings,
    )  # fmt: skip


def _generation(settings: dict[str, Any]) -> Any:
    words = get_tokenizer(multilingual=True)
    languages = zip(words.all_language_codes, words.all_language_tokens, strict=True)
    config: Any = transformers.GenerationConfig
    return config(
        bos_token_id=words.eot, eos_token_id=words.eot, pad_token_id=words.eot, decoder_start_token_id=words.sot,
        prev_sot_token_id=words.sot_prev, no_timestamps_token_id=words.no_timestamps, is_multilingual=True,
        lang_to_id={f"<|{code}|>": token for code, token in languages},
        task_to_id={"transcribe": words.transcribe, "translate": words.translate},
        suppress_tokens=settings["suppress_ids"], begin_suppress_tokens=settings["suppress_ids_begin"],
        alignment_heads=settings["alignment_heads"], max_initial_timestamp_index=50, max_length=448,
    )  # fmt: skip


def _write_vocabulary(target: Path) -> None:
    fast = json.loads((target / "tokenizer.json").read_text())
    merges = [it if isinstance(it, str) else " ".join(it) for it in fast["model"]["merges"]]
    added = {it["content"]: it["id"] for it in fast["added_tokens"]}
    (target / "vocab.json").write_text(json.dumps(fast["model"]["vocab"]))
    (target / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    (target / "added_tokens.json").write_text(json.dumps(added))
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), "<|endoftext|>")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | ends
    (target / "tokenizer_config.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
