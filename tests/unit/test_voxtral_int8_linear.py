"""Linear layers with 8-bit weights on a CPU: how far from exact, how large, and on older CPUs as well."""

import os
import platform
import subprocess
import sys
import weakref

import pytest
import torch
from torch import Tensor, nn

from tests.allocator import Alive
from workers.device import ComputeDevice
from workers.memory.heap import release_free_pages
from workers.memory.reservation import held_bytes
from workers.voxtral.int8_linear import Int8Linear, in_two_parts, input_levels, quantize_layers, quantized

torch.set_num_threads(1)
CPU = ComputeDevice(torch.device("cpu"), torch.float32)
OUTLIER = 7
"""Input channel that is a hundred times larger than the others."""
TOLERANCE = 0.01
"""Of an input's rounding, relative to what all channels but the outlier add to the output (root mean squares)."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_outlier(rows: int, width: int) -> Tensor:
    x = normal(rows, width, seed=1)
    x[:, OUTLIER] *= 100
    return x


def root_mean_square(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())


def rounding(x: Tensor, product: Tensor, codes: Tensor, scales: Tensor) -> float:
    """Return the error that rounding the input causes, relative to the output of the other channels."""
    weight = codes.double() * scales.double().unsqueeze(1)
    usual = x.clone()
    usual[:, OUTLIER] = 0
    return root_mean_square(product - x.double() @ weight.T) / root_mean_square(usual.double() @ weight.T)


@pytest.mark.parametrize("rows", [1, 6, 300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_as_near_as_weights_of_8_bits_allow(rows: int, dtype: torch.dtype) -> None:
    weight, x = normal(384, 512), normal(rows, 512, seed=1).to(dtype)
    exact = x.double() @ weight.double().T
    found = Int8Linear(weight)(x)
    assert found.dtype == dtype
    assert root_mean_square(found - exact) < 0.01 * root_mean_square(exact)


def test_an_outlier_takes_no_bits_from_the_other_channels() -> None:
    # Given inputs with a channel that is a hundred times larger than the others
    weight, x = normal(384, 512), with_outlier(12, 512)
    codes, scales = quantized(weight)

    # When they are multiplied, then what rounding costs is within the tolerance
    assert rounding(x, Int8Linear(weight)(x), codes, scales) < TOLERANCE

    # And without the second quantization, of the remainders, it is not
    parts, scale = in_two_parts(x, input_levels())
    once = (parts[:12].double() - (input_levels() + 1)) * scale
    product = once @ codes.double().T * scales.double()
    assert rounding(x, product, codes, scales) > 10 * TOLERANCE


@pytest.mark.parametrize("width", [512, 8192])
def test_few_rows_and_many_have_the_same_products(width: int) -> None:
    layer, x = Int8Linear(normal(96, width)), with_outlier(600, width)
    together = layer(x)
    for start, count in ((0, 1), (5, 6), (90, 12), (300, 300)):
        torch.testing.assert_close(layer(x[start : start + count]), together[start : start + count])
    torch.testing.assert_close(layer(x.view(4, 150, width)).flatten(0, 1), together)


def test_rows_of_zeros_and_what_is_no_number() -> None:
    layer, x = Int8Linear(torch.cat([normal(31, 64), torch.zeros(1, 64)])), normal(3, 64)
    x[0], x[1, 5] = 0.0, float("nan")
    found = layer(x)
    assert not found[0].any()
    assert found[1].isnan().all()
    assert found[2, :-1].isfinite().all()
    assert found[2, -1] == 0


@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1 / 4), (torch.bfloat16, 1 / 2)])
def test_the_memory_that_weights_take(dtype: torch.dtype, share: float) -> None:
    # Given weights of 128 and 64 MiB
    weights = [normal(2048, 4096, seed=seed).to(dtype) for seed in range(4)]
    Int8Linear(weights[0])(normal(1, 4096))
    release_free_pages()
    before = held_bytes(CPU)

    # When they are quantized
    layers = [Int8Linear(weight) for weight in weights]
    release_free_pages()

    # Then the process has grown by a quarter or by half of that
    expected = share * sum(weight.nbytes for weight in weights)
    assert held_bytes(CPU) - before == pytest.approx(expected, rel=0.1)
    assert sum(layer.nbytes for layer in layers) == pytest.approx(expected, rel=0.01)


def test_layers_are_quantized_one_after_the_other_and_released() -> None:
    # Given twenty layers
    model = nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(20)))
    first = weakref.ref(model[0].weight)

    # When they are quantized
    with Alive() as alive, torch.no_grad():
        quantize_layers(model)

    # Then no more than two of them were in memory beside the quantized ones
    assert first() is None
    assert all(isinstance(layer, Int8Linear) for layer in model)
    assert alive.peak_bytes < 2 * 4 * 256 * 256 + 20 * 2 * 4 * 256


def test_quantizing_many_layers_leaves_no_gaps_in_memory() -> None:
    # Given a process of two threads that has had large tensors, and layers of 4 MiB with smaller ones between them
    program = (
        "import torch\n"
        "from torch import nn\n"
        "from workers.device import ComputeDevice\n"
        "from workers.memory.reservation import held_bytes\n"
        "from workers.voxtral.int8_linear import quantize_layers\n"
        "torch.set_num_threads(2)\n"
        "cpu = ComputeDevice(torch.device('cpu'), torch.float32)\n"
        "sizes = [(1024, 64), (1024, 2048), (1024, 2048), (2048, 1024)] * 24\n"
        "model = nn.Sequential(*(nn.Linear(*size, bias=False, dtype=torch.bfloat16) for size in sizes))\n"
        "kept = [layer.weight for layer in model]\n"
        "larger = [torch.randn(4 << 20) for _ in range(3)]\n"
        "del larger\n"
        "before = held_bytes(cpu)\n"
        "quantize_layers(model)\n"
        "print((held_bytes(cpu) - before) / sum(weight.nbytes for weight in kept))\n"
    )

    # When they are quantized, then it has grown by half of their size
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 0.65


def test_a_layer_with_a_bias_is_refused() -> None:
    with pytest.raises(ValueError, match="0 has a bias"):
        quantize_layers(nn.Sequential(nn.Linear(4, 4)))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN's limits name x86's instructions")
@pytest.mark.parametrize(("isa", "levels"), [("AVX2", 63), ("AVX512_CORE", 63)])
def test_products_do_not_overflow_on_cpus_without_vnni(isa: str, levels: int) -> None:
    # Given a CPU whose products of 8 bits are added in 16, and codes as large as can be
    program = (
        "import torch\n"
        "from workers.voxtral.int8_linear import Int8Linear, input_levels\n"
        "weight, x = torch.ones(64, 512), torch.ones(12, 512)\n"
        "found = Int8Linear(weight)(x)\n"
        "assert torch.allclose(found, torch.full((12, 64), 512.0), rtol=1e-4), found\n"
        "print(input_levels())\n"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)

    # Then inputs have 7 bits, and the products are right
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(levels)
