"""The engine on other sizes of the model than *base*: random weights, against openai-whisper itself."""

import numpy as np
import pytest
import torch
import whisper
from whisper.model import ModelDimensions, Whisper

from pipeline.types import Options
from workers.audio.audio_file import SAMPLE_RATE_HZ
from workers.precision import BF16, FP16, FP32, Precision
from workers.whisper import WhisperEngine, decoding
from workers.whisper.batch_transcriber import DecodingOptions
from workers.whisper.decoding import decode
from workers.whisper.windows import Window

ENGLISH_VOCABULARY, MULTILINGUAL, LARGE_V3 = 51864, 51865, 51866
TOKENS = 24
GEOMETRIES = {
    "tiny.en": (80, ENGLISH_VOCABULARY, 2, 2),
    "small": (80, MULTILINGUAL, 3, 3),
    "large-v3, 128 mel bands": (128, LARGE_V3, 2, 2),
    "turbo, fewer layers in the decoder": (128, LARGE_V3, 4, 1),
}


def random_model(mels: int, vocabulary: int, encoder_layers: int, decoder_layers: int) -> Whisper:
    torch.manual_seed(0)
    dims = ModelDimensions(mels, 1500, 128, 2, encoder_layers, vocabulary, 448, 128, 2, decoder_layers)
    model = Whisper(dims)
    torch.nn.init.normal_(model.decoder.positional_embedding)  # openai-whisper leaves it to the checkpoint
    for weight in model.parameters():
        # As published: every weight a float16. Larger than usual, so that no two tokens are nearly as likely.
        weight.data = (weight.data * 2).half().float()
    return model.eval()


def window(length_s: float) -> Window:
    noise = np.random.default_rng(1).normal(size=round(length_s * SAMPLE_RATE_HZ)) * 0.1
    return Window(noise.astype(np.float32), ((0.0, 0.0),), np.ones(1, np.float32))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("task", ["transcribe", "translate"])
def test_every_geometry_decodes_what_openai_whisper_does(
    geometry: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # random weights say one word again and again, which openai-whisper hears to the end
    monkeypatch.setattr(decoding, "ends_in_loop", lambda tokens: False)
    # given a window, decoded by openai-whisper
    model = random_model(*GEOMETRIES[geometry])
    if not model.is_multilingual and task == "translate":
        pytest.skip("an English-only model does not translate")
    one = window(20)
    language = "de" if model.is_multilingual else "en"
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(one.samples), model.dims.n_mels)
    options = whisper.DecodingOptions(task=task, language=language, fp16=False, sample_len=TOKENS)
    stock = whisper.decode(model, mel, options)
    # when the engine decodes it
    transcriber = WhisperEngine(
        model, "random", precision=FP32, decoding_options=DecodingOptions(silence_s=30.0)
    ).transcriber
    prompt = transcriber.prompt(language, Options(task=task))
    [ours] = decode(transcriber.decoder, prompt, transcriber.start_batch([one]))
    # then the tokens are the same
    assert list(ours.tokens[:TOKENS]) == stock.tokens
    assert ours.no_speech_prob == pytest.approx(stock.no_speech_prob, abs=1e-4)


@pytest.mark.parametrize("precision", [FP32, BF16, FP16], ids=lambda one: one.name)
def test_every_precision_runs_on_the_large_geometry(precision: Precision) -> None:
    engine = WhisperEngine(random_model(*GEOMETRIES["large-v3, 128 mel bands"]), "random", precision=precision)
    transcriber = engine.transcriber
    windows = [window(20), window(3)]
    decoded = decode(transcriber.decoder, transcriber.prompt("en", Options()), transcriber.start_batch(windows))
    assert len(decoded) == len(windows)
    assert all(np.isfinite(one.avg_logprob) for one in decoded)
