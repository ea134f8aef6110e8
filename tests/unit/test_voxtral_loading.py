"""Which analyst a machine gets, and what is said when it gets none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import EngineError, WeightsError
from pipeline.settings import Settings
from tests import voxtral_checkpoint
from workers import device
from workers.memory import cards
from workers.voxtral import Skipped, load_analyst
from workers.voxtral.analyst import VoxtralAnalyst

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"))


@pytest.fixture
def checkpoint(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DUET_VOXTRAL_URL", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def load(folder: Path | str, voxtral: str = "on") -> VoxtralAnalyst | Skipped:
    choice = load_analyst(Settings(voxtral=voxtral, voxtral_model=str(folder), device="cpu"))
    assert isinstance(choice, VoxtralAnalyst | Skipped)
    return choice


def refusal(folder: Path | str) -> str:
    with pytest.raises(WeightsError) as caught:
        load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def test_on_runs_on_a_cpu(checkpoint: Path) -> None:
    analyst = load(checkpoint)
    assert isinstance(analyst, VoxtralAnalyst)
    assert analyst.model == str(checkpoint)


def test_off_says_how_to_switch_on(checkpoint: Path) -> None:
    choice = load(checkpoint, "off")
    assert isinstance(choice, Skipped)
    assert "DUET_VOXTRAL=auto" in choice.reason


@no_cuda
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_without_a_card_auto_takes_a_cpu_that_has_the_weights(
    checkpoint: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    analyst = load_analyst(Settings(voxtral_model=str(checkpoint), device=name))
    assert isinstance(analyst, VoxtralAnalyst)
    assert analyst.device == "cpu"


@no_cuda
def test_weights_that_are_not_here_are_not_fetched_for_a_cpu() -> None:
    choice = load_analyst(Settings())
    assert isinstance(choice, Skipped)
    assert not choice.may_pass
    assert "`duet models get voxtral`" in choice.reason
    assert "DUET_VOXTRAL_URL" in choice.reason


@no_cuda
def test_a_cpu_that_does_not_multiply_bfloat16_is_not_used_unless_asked(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: False)
    choice = load_analyst(Settings(voxtral_model=str(checkpoint), device="cpu"))
    assert isinstance(choice, Skipped)
    assert "avx512_bf16" in choice.reason
    asked = load(checkpoint)
    assert isinstance(asked, VoxtralAnalyst)
    assert asked._backend.model.place.dtype == torch.float32  # type: ignore[attr-defined]


@no_cuda
def test_a_card_that_was_asked_for_and_is_not_there_is_not_replaced_by_the_cpu(checkpoint: Path) -> None:
    choice = load_analyst(Settings(voxtral_model=str(checkpoint), device="cuda"))
    assert isinstance(choice, Skipped)
    assert "DUET_DEVICE=cuda" in choice.reason


@no_cuda
def test_a_cpu_without_the_memory_says_what_is_missing(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(cards, "_group_bytes", lambda name, unknown=0.0: 1e8)
    choice = load_analyst(Settings(voxtral_model=str(checkpoint)))
    assert isinstance(choice, Skipped)
    assert "GiB at the least, and this machine's CPU has 0.1 in all" in choice.reason


def test_file_caches_of_a_container_count_as_free_and_its_limit_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a container of 4 GB, three of which are used, two of them to cache the weights' files
    figures = {"memory.max": "4e9", "memory.current": "3e9", "memory.stat": "anon 1e9\ninactive_file 2e9\n"}
    for name, text in figures.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cards, "_GROUP", tmp_path)
    monkeypatch.setattr(cards, "_machine_bytes", lambda name: 16e9)
    cpu = device.ComputeDevice(torch.device("cpu"), torch.float32)

    # Then three are free, of four in all
    assert cards.free_bytes(cpu) == 3e9
    assert cards.of(cpu).total_bytes == 4e9

    # And without a limit the machine's memory counts
    (tmp_path / "memory.max").write_text("max")
    assert cards.free_bytes(cpu) == 16e9


@no_cuda
def test_skipping_loads_neither_torch_nor_transformers() -> None:
    program = (
        "import sys\n"
        "from pipeline.settings import Settings\n"
        "from workers.voxtral import Skipped, load_analyst\n"
        "assert isinstance(load_analyst(Settings(device='cpu')), Skipped)\n"
        "assert isinstance(load_analyst(Settings(voxtral='off')), Skipped)\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_folder_that_is_not_there() -> None:
    assert "DUET_VOXTRAL_MODEL" in refusal("/nowhere/voxtral")
    assert "DUET_VOXTRAL_MODEL" in refusal("ftp://host/voxtral/mini")


def test_weights_that_are_not_in_the_cache() -> None:
    assert "huggingface.co" in refusal("mistralai/Voxtral-Mini-3B-2507")


@pytest.mark.parametrize("name", ["tekken.json", "config.json", "model.safetensors", "processor_config.json"])
def test_a_missing_file_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    assert str(checkpoint) in refusal(checkpoint)
    if name != "processor_config.json":
        assert name in refusal(checkpoint)


def test_a_shard_that_the_index_names_and_is_missing(checkpoint: Path) -> None:
    shard = "model-00002-of-00002.safetensors"
    index = {"weight_map": {"lm_head.weight": shard}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    assert shard in refusal(checkpoint)


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_a_safetensors_file_that_is_cut_short(checkpoint: Path, keep: int) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "damaged" in refusal(checkpoint)


@pytest.mark.parametrize("name", ["tekken.json", "config.json"])
def test_a_json_that_is_cut_short(checkpoint: Path, name: str) -> None:
    path = checkpoint / name
    path.write_bytes(path.read_bytes()[:-9])
    assert "damaged" in refusal(checkpoint)


def test_the_tokenizer_of_a_model_without_ears(checkpoint: Path) -> None:
    path = checkpoint / "tekken.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"audio": None}))
    assert "without ears" in refusal(checkpoint)


def test_another_kind_of_model(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"model_type": "llama"}')
    assert "'llama'" in refusal(checkpoint)


def test_tensors_of_another_size(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    config["text_config"]["hidden_size"] *= 2
    path.write_text(json.dumps(config))
    assert "do not make a Voxtral" in refusal(checkpoint)


def test_a_tensor_that_is_missing(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    tensors = load_file(path)
    head = next(name for name in tensors if name.endswith("lm_head.weight"))
    save_file({name: tensor for name, tensor in tensors.items() if name != head}, path, {"format": "pt"})
    assert "missing" in refusal(checkpoint)


def test_a_tokenizer_with_more_tokens_than_the_model(checkpoint: Path) -> None:
    path = checkpoint / "tekken.json"
    tekken = json.loads(path.read_text())
    tekken["config"] |= {"num_vocab_tokens": 1025, "default_vocab_size": 2025}
    tekken["vocab"].append(tekken["vocab"][-1] | {"rank": 1024, "token_bytes": "enp6enp6eno="})
    path.write_text(json.dumps(tekken))
    assert "2025 tokens" in refusal(checkpoint)


@no_cuda
def test_a_device_that_is_not_there() -> None:
    assert device.choose("auto").device == torch.device("cpu")
    with pytest.raises(EngineError, match="sees 0 CUDA devices"):
        device.choose("cuda:3")
    with pytest.raises(EngineError, match="is unknown"):
        device.choose("gpu")


@pytest.mark.parametrize(("said_s", "section_s"), [(None, 600.0), (90.0, 90.0)])
def test_a_section_is_as_long_as_was_said_or_else_as_fits(
    checkpoint: Path, said_s: float | None, section_s: float
) -> None:
    settings = Settings(voxtral="on", voxtral_model=str(checkpoint), device="cpu", voxtral_section_s=said_s)
    analyst = load_analyst(settings)
    assert isinstance(analyst, VoxtralAnalyst)
    assert analyst.section_s == section_s
