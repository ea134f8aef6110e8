import pytest
import torch

from workers import precision
from workers.whisper.inference.encoder import STRETCH, attention
from workers.whisper.inference.linear import prepare


def test_cuda_gets_half_precision() -> None:
    assert precision.choose(torch.device("cuda")) is precision.FP16


def test_a_cpu_with_bfloat16_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    assert precision.choose(torch.device("cpu")) is precision.BF16


def test_a_cpu_without_bfloat16_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: False)
    assert precision.choose(torch.device("cpu")) is precision.FP32


@pytest.mark.parametrize(("kind", "error"), [("fp32", 1e-6), ("bf16", 2e-2), ("fp16", 3e-3)])
def test_every_kind_of_product_is_close_to_the_exact_one(kind: precision.Kind, error: float) -> None:
    # given a layer and rows of very different sizes
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(64, 128)
    x = torch.randn(5, 64, generator=generator) * torch.tensor([0.01, 0.1, 1.0, 1.0, 5.0])[:, None]
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(kind, torch.float32)
    # when it is applied
    with torch.inference_mode():
        exact = torch.nn.functional.gelu(layer(x))
        y = prepare(layer.weight.detach(), layer.bias.detach(), kind, rows=5, gelu=True)(x.to(dtype))
    # then it is as exact as its kind allows
    assert y.dtype == dtype
    assert (y.float() - exact).abs().max() <= error * exact.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_attention_by_stretches_is_attention(dtype: torch.dtype) -> None:
    # Given more positions than a stretch has, and a last stretch that is not full
    q, k, v = torch.randn(3, 2, 3, STRETCH + 100, 64, generator=torch.Generator().manual_seed(0))

    heard = attention(q.to(dtype), k.to(dtype), v.to(dtype))

    exact = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert (heard.float() - exact).abs().max() < 2e-2
