"""Voxtral's speed: Duet's way against the naive one, and each step against what the device can do.

    python -m tests.benchmarks.voxtral --json

The naive way is that of the library's examples: one chunk of 30 s and one question a request. With a
CUDA device the model has the real geometry, otherwise it is scaled down; its weights are random either
way, so this measures speed and never quality. Each way runs in a process of its own, so that its peak
of memory is its own; rounds are interleaved, so that a noisy machine is unfair to both alike. Loading and
one short warm-up are not timed.
"""

import argparse
import base64
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import soundfile
import torch
from transformers import AutoProcessor, VoxtralConfig, VoxtralForConditionalGeneration

from tests import voxtral_checkpoint
from tests.voxtral_sound import noise
from workers import device
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.memory.activations import voxtral_bytes
from workers.memory.cards import of
from workers.memory.geometry import MINI, voxtral_geometry
from workers.voxtral.model import CHUNK_SAMPLES, TOKENS_PER_CHUNK, VoxtralModel
from workers.voxtral.sections import cut

QUESTIONS = (
    "What is this about?",
    "Who speaks, and of whom?",
    "Which tasks are given, and to whom?",
    "What is the mood?",
    "Which three sentences are worth repeating?",
)

SYSTEMS = ("ours", "naive")


def load(place: device.ComputeDevice, folder: Path, hidden: int, layers: int, threads: int) -> VoxtralModel:
    """Return a model with random weights: of the real geometry on CUDA, scaled down on a CPU."""
    torch.set_num_threads(threads)
    voxtral_checkpoint.build(folder, hidden=hidden, layers=layers)
    if place.device.type == "cuda":
        with place.device:
            model = VoxtralForConditionalGeneration._from_config(VoxtralConfig(), dtype=place.dtype)
    else:
        model = VoxtralForConditionalGeneration.from_pretrained(folder, dtype=place.dtype)
    processor = AutoProcessor.from_pretrained(folder)
    with torch.no_grad():
        # Both ways shall write equally many tokens, so the end token may never be the likeliest.
        model.lm_head.weight[processor.tokenizer.eos_token_id] = 0
    return VoxtralModel(model.eval(), processor, place)


def ours(voxtral: VoxtralModel, samples: Samples, section_s: float, tokens: int) -> dict[str, Any]:
    """Ask all questions about each section; return seconds a step and what each worked on."""
    steps = {"encode": 0.0, "prefill": 0.0, "decode": 0.0}
    chunks = written = 0
    for section in cut(iter([samples]), section_s):
        heard = _timed(voxtral.place, steps, "encode", lambda part=section: voxtral.encode_audio(part.samples))
        listening = _timed(voxtral.place, steps, "prefill", lambda one=heard: voxtral.start_conversation([one]))
        chunks += heard.chunks
        for question in QUESTIONS:
            answers = _timed(voxtral.place, steps, "decode", lambda to=listening, text=question: to.ask(text, tokens))
            written += sum(len(answer.tokens) for answer in answers)
    return {
        "tokens": written,
        "encode_chunks_per_s": chunks / steps["encode"],
        "prefill_tokens_per_s": chunks * TOKENS_PER_CHUNK / steps["prefill"],
        "decode_tokens_per_s": written / steps["decode"],
    }


def naive(voxtral: VoxtralModel, samples: Samples, tokens: int) -> dict[str, Any]:
    """Ask each question about each chunk of 30 s through the processor, one request at a time."""
    processor, model, place = voxtral.processor, voxtral.model, voxtral.place
    written = 0
    for start in range(0, len(samples), CHUNK_SAMPLES):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples[start : start + CHUNK_SAMPLES], SAMPLE_RATE_HZ, format="WAV")
        audio = {"type": "audio", "base64": base64.b64encode(buffer.getvalue()).decode()}
        for question in QUESTIONS:
            content = [audio, {"type": "text", "text": question}]
            inputs = processor.apply_chat_template([{"role": "user", "content": content}])
            inputs = inputs.to(place.device, dtype=place.dtype)
            with torch.inference_mode():
                output = model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
            written += output.shape[1] - inputs["input_ids"].shape[1]
    return {"tokens": written}


def ceilings(place: device.ComputeDevice) -> dict[str, float]:
    """Return what the device can do: products of large matrices, and reading and writing of memory."""
    size = 8192 if place.device.type == "cuda" else 1024
    a = torch.randn(size, size, device=place.device, dtype=place.dtype)
    large = torch.empty((2**30 if place.device.type == "cuda" else 2**27) // 4, device=place.device)
    into = torch.empty_like(large)
    times = {"product": 1e9, "copy": 1e9}
    for _ in range(4):
        for name, work in (("product", lambda: a @ a), ("copy", lambda: into.copy_(large))):
            once: dict[str, float] = {name: 0.0}
            _timed(place, once, name, work)
            times[name] = min(times[name], once[name])
    return {
        "ceiling_tflops": 2 * size**3 / times["product"] / 1e12,
        "ceiling_gb_per_s": 2 * large.nbytes / times["copy"] / 1e9,
    }


def shares(voxtral: VoxtralModel, figures: dict[str, Any], section_s: float) -> dict[str, float]:
    """Return how much of the device's ceilings each step reaches; what computes little is left out."""
    parts, config = voxtral.model.model, voxtral.model.config
    positions, tokens = config.audio_config.max_source_positions, TOKENS_PER_CHUNK * ceil(section_s / 30)
    encoder = sum(weight.numel() for weight in parts.audio_tower.parameters())
    layers = sum(weight.numel() for weight in parts.language_model.layers.parameters())
    width = config.text_config.num_attention_heads * config.text_config.head_dim * config.text_config.num_hidden_layers
    attended = positions * config.audio_config.hidden_size * config.audio_config.num_hidden_layers
    chunk_tflop = positions * (2 * encoder + 4 * attended) / 1e12
    token_tflop = (2 * layers + 2 * tokens * width) / 1e12  # causal: on average half of the section is attended to
    read_gb = sum(weight.nbytes for weight in parts.language_model.parameters()) / 1e9
    return {
        "encode_share_of_tflops": figures["encode_chunks_per_s"] * chunk_tflop / figures["ceiling_tflops"],
        "prefill_share_of_tflops": figures["prefill_tokens_per_s"] * token_tflop / figures["ceiling_tflops"],
        "decode_share_of_bandwidth": figures["decode_tokens_per_s"] * read_gb / figures["ceiling_gb_per_s"],
    }


def _timed(place: device.ComputeDevice, steps: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    started_s = time.perf_counter()
    result = work()
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)
    steps[name] += time.perf_counter() - started_s
    return result


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one way in this process and return its figures."""
    place = device.choose(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        voxtral = load(place, Path(folder), arguments.hidden, arguments.layers, arguments.threads)
    parameters = sum(weight.numel() for weight in voxtral.model.parameters())
    samples = noise(arguments.minutes * 60)
    if arguments.system == "naive":
        run: Callable[[Samples], dict[str, Any]] = lambda part: naive(voxtral, part, arguments.tokens)  # noqa: E731
    else:
        run = lambda part: ours(voxtral, part, arguments.section_s, arguments.tokens)  # noqa: E731
    run(samples[:CHUNK_SAMPLES])  # the first call of anything is slow
    started_s = time.perf_counter()
    figures = run(samples)
    seconds = time.perf_counter() - started_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if place.device.type == "cuda":
        peak_mb = torch.cuda.max_memory_allocated(place.device) / 2**20
        weights_bytes = parameters * place.dtype.itemsize
        work_bytes = voxtral_bytes(voxtral_geometry(MINI), of(place).voxtral_precision, arguments.section_s, 1)
        figures["planned_mb"] = (weights_bytes + work_bytes) / 2**20
    if arguments.system == "ours":
        figures |= ceilings(place)
        figures |= shares(voxtral, figures, min(arguments.section_s, arguments.minutes * 60))
    return {
        "system": arguments.system,
        "seconds": seconds,
        "realtime": arguments.minutes * 60 / seconds,
        "peak_mb": peak_mb,
        "minutes": arguments.minutes,
        "questions": len(QUESTIONS),
        "tokens_an_answer": arguments.tokens,
        "parameters": parameters,
        "geometry": "real" if place.device.type == "cuda" else "scaled down",
        "device": str(place.device),
        "dtype": str(place.dtype),
        "threads": arguments.threads,
        **figures,
    }


def main() -> None:
    """Run both ways in turn, round after round, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the audio")
    parser.add_argument("--section-s", type=float, default=600.0, help="length of our sections")
    parser.add_argument("--tokens", type=int, default=32, help="length of each answer")
    parser.add_argument("--hidden", type=int, default=64, help="width of the encoder on a CPU")
    parser.add_argument("--layers", type=int, default=4, help="depth of both halves on a CPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each way")
    parser.add_argument("--system", choices=SYSTEMS, help="measure only this one, once, in this process")
    arguments = parser.parse_args()
    if arguments.system:
        print(json.dumps(measure(arguments)))
        return
    rounds = [{system: _in_a_process_of_its_own(system) for system in SYSTEMS} for _ in range(arguments.rounds)]
    lines = [_middle([one[system] for one in rounds]) for system in SYSTEMS]
    lines[0] |= _times_as_fast(rounds)
    for line in lines:
        print(json.dumps(line)) if arguments.json else _print(line)


def _in_a_process_of_its_own(system: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.voxtral", *sys.argv[1:], "--system", system]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the rounds, and the seconds of each round."""
    figures = {
        name: round(statistics.median(run[name] for run in runs), 3) if isinstance(value, float) else value
        for name, value in runs[0].items()
    }
    return figures | {"seconds_by_round": [round(run["seconds"], 2) for run in runs]}


def _times_as_fast(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return how many times as fast as the naive way ours is: the medians' ratio, and that of each round."""
    ours_s, naive_s = ([one[system]["seconds"] for one in rounds] for system in SYSTEMS)
    return {
        "times_naive": round(statistics.median(naive_s) / statistics.median(ours_s), 2),
        "times_naive_by_round": [round(n / o, 2) for o, n in zip(ours_s, naive_s, strict=True)],
    }


def _print(line: dict[str, Any]) -> None:
    print(f"{line['system']:>6} {line['seconds']:8.1f} s {line['realtime']:8.1f} x real time", end="")
    print(f" {line['peak_mb']:8.0f} MB at most {line['tokens']:6} tokens written", end="")
    print(f"   {line['geometry']} model of {line['parameters']:,} parameters, {line['dtype']} on {line['device']}")
    if "times_naive" in line:
        print(f"       {line['times_naive']} times as fast as naive; by round {line['times_naive_by_round']}")


if __name__ == "__main__":
    main()
