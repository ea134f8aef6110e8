"""Answers of the servers that have Voxtral, in the shapes of their documentation and source; no live recordings.

- vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, vllm/entrypoints/openai
- llama.cpp: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md, tools/server/server-task.cpp
- Mistral: https://docs.mistral.ai/api, and what its users saw of `/models` in September 2026
"""

from typing import Any


def chat(content: str, **more: Any) -> dict[str, Any]:
    """Return the part of a chat answer that all three have."""
    message = {"role": "assistant", "content": content, "tool_calls": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 400, "completion_tokens": 90, "total_tokens": 490}
    return {"id": "1", "object": "chat.completion", "created": 1, "choices": [choice], "usage": usage, **more}


VLLM_MODELS: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "mistralai/Voxtral-Mini-3B-2507",
            "object": "model",
            "created": 1764000000,
            "owned_by": "vllm",
            "root": "mistralai/Voxtral-Mini-3B-2507",
            "parent": None,
            "max_model_len": 32768,
            "permission": [{"id": "modelperm-1", "object": "model_permission", "allow_sampling": True}],
        }
    ],
}
VLLM_TRANSCRIPTION: dict[str, Any] = {"text": " Bread is life.", "usage": {"type": "duration", "seconds": 30}}
VLLM_NO_SCHEMA: dict[str, Any] = {
    "error": {
        "message": "The provided JSON schema contains features not supported by xgrammar.",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    }
}
VLLM_NO_TRANSCRIPTION: dict[str, Any] = {
    "error": {
        "message": "The model does not support Transcriptions API",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    }
}

LLAMA_NAME = "ggml-org/Voxtral-Mini-3B-2507-GGUF"
LLAMA_MODELS: dict[str, Any] = {
    "models": [{"name": LLAMA_NAME, "model": LLAMA_NAME, "capabilities": ["completion", "multimodal"], "details": {}}],
    "object": "list",
    "data": [
        {
            "id": LLAMA_NAME,
            "aliases": [],
            "object": "model",
            "created": 1764000000,
            "owned_by": "llamacpp",
            "meta": {"vocab_type": 2, "n_vocab": 131072, "n_ctx_train": 131072, "n_params": 4015600000},
        }
    ],
}
LLAMA_TRANSCRIPTION: dict[str, Any] = {
    "type": "transcript.text.done",
    "text": "Bread is life.",
    "usage": {"type": "tokens", "input_tokens": 400, "output_tokens": 5, "total_tokens": 405},
}
LLAMA_NO_ROUTE: dict[str, Any] = {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
LLAMA_NO_GRAMMAR: dict[str, Any] = {
    "error": {
        "code": 400,
        "message": "Failed to initialize samplers: failed to parse grammar",
        "type": "invalid_request_error",
    }
}
LLAMA_NO_AUDIO: dict[str, Any] = {
    "error": {
        "code": 500,
        "message": "audio input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "type": "server_error",
    }
}


def mistral_model(name: str, *able: str) -> dict[str, Any]:
    """Return an entry of Mistral's list with some capabilities."""
    every = ("completion_chat", "function_calling", "vision", "ocr", "moderation", "audio", "audio_transcription")
    return {
        "id": name,
        "object": "model",
        "created": 1764000000,
        "owned_by": "mistralai",
        "capabilities": dict.fromkeys((*every, "audio_transcription_realtime", "audio_speech"), False)
        | dict.fromkeys(able, True),
        "name": name,
        "max_context_length": 32768,
        "aliases": [],
        "deprecation": None,
        "type": "base",
    }


MISTRAL_MODELS: dict[str, Any] = {
    "object": "list",
    "data": [
        mistral_model("mistral-large-latest", "completion_chat", "function_calling", "vision"),
        mistral_model("voxtral-mini-2602", "audio_transcription"),
        mistral_model("voxtral-mini-latest", "audio_transcription"),
        mistral_model("voxtral-mini-transcribe-realtime-3-0", "audio_transcription_realtime"),
        mistral_model("voxtral-mini-tts-3-0", "audio_speech", "function_calling"),
        mistral_model("voxtral-small-latest", "completion_chat", "function_calling", "audio"),
        mistral_model("voxtral-mini-transcribe-3-0", "audio_transcription"),
        mistral_model("mistral-ocr-latest", "ocr"),
    ],
}
MISTRAL_TRANSCRIPTION: dict[str, Any] = {
    "model": "voxtral-mini-2602",
    "text": "Bread is life.",
    "language": "en",
    "segments": [
        {"type": "transcription_segment", "text": "Bread is", "start": 0.1, "end": 0.8, "speaker_id": None},
        {"type": "transcription_segment", "text": " life.", "start": 0.8, "end": 1.4, "speaker_id": None},
    ],
    "usage": {"prompt_audio_seconds": 30, "prompt_tokens": 6, "completion_tokens": 9, "total_tokens": 390},
}
MISTRAL_NO_BIAS: dict[str, Any] = {
    "object": "error",
    "message": {
        "detail": [
            {"type": "string_pattern_mismatch", "loc": ["body", "context_bias", 0], "msg": "String should match"}
        ]
    },
    "type": "invalid_request_error",
    "param": None,
    "code": None,
}
MISTRAL_NO_MODEL: dict[str, Any] = {
    "object": "error",
    "message": "Invalid model: voxtral-mini-2602",
    "type": "invalid_model",
    "param": None,
    "code": "1500",
}
