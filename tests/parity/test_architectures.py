"""Published architectures: each agrees at sizes that were not traced, or is refused for a true reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import kit
from tests.conftest import Run
from tests.parity.support import read_cases

pytest.importorskip("transformers")  # tools/requirements.txt has it; a host that only deploys need not

from tests.parity.architectures import ARCHITECTURES

# Architectures that are refused: what the refusal must name, and what is wrong there.
REFUSED: dict[str, str] = {
    # A function with a derivative of its own, which is Python and cannot be saved.
    "bloom": "modeling_bloom.py",
    # A loop over the positions: the trace would hold as many steps as the example has.
    "funnel": "`pos = list(range(seq_len))`",
    "mamba": "`for index in range(seq_len):`",
    "rwkv": "`for current_index in range(seq_length):`",
    # Attention that is global where the mask says so, and windows with the strides of the example.
    "led": "modeling_led.py",
    "longformer": "modeling_longformer.py",
    # Frequencies that depend on the longest sequence seen so far.
    "llama_dynamic_rope": "modeling_rope_utils.py",
    # Padding that is chosen by the size of the picture.
    "mobilenet_v2_any_size": "modeling_mobilenet_v2.py",
    "mobilevit_any_size": "modeling_mobilevit.py",
    "swin_any_size": "modeling_swin.py",
    # Random patches, as many as the masks of the pictures say.
    "vilt": "modeling_vilt.py",
}

# Those that a test has the time for; tools/architectures.py exports them all, for docs/architectures.md.
AGREES = [
    "bart",
    "bert",
    "clip_vision",
    "convnext",
    "deberta_v2",
    "distilbert",
    "gpt2",
    "gpt2_without_mask",
    "gpt_neox",
    "llama",
    "llama_without_mask",
    "mistral",
    "qwen2",
    "resnet",
    "resnet_any_size",
    "roberta",
    "rt_detr",
    "segformer_any_size",
    "swin",
    "t5_encoder",
    "vit",
    "wav2vec2",
    "whisper_encoder",
]


def test_there_are_enough() -> None:
    assert len(ARCHITECTURES) >= 60
    assert set(REFUSED) | set(AGREES) <= set(ARCHITECTURES)
    assert not set(REFUSED) & set(AGREES)


@pytest.mark.parametrize("name", AGREES)
def test_agrees(name: str, tmp_path: Path) -> None:
    recipe = ARCHITECTURES[name]()
    path = tmp_path / "model.pt"
    kit.export(recipe, path=path)
    report = kit.verify(path)
    assert report.passed
    cases = read_cases(path)
    assert report.cases == len(cases)
    for input_name, dims in recipe.dynamic.items():
        for index, dim in dims.items():
            sizes = {inputs[input_name].shape[index] for inputs, _ in cases}
            assert len(sizes) > 1, f"{input_name}: every case has {dim.name} = {sizes}"


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(kit.TraceError) as caught:
        kit.export(ARCHITECTURES[name](), path=path)
    assert REFUSED[name] in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("name", ["bert", "resnet"])
def test_predictor_runs_it(name: str, predictor: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    kit.export(ARCHITECTURES[name](), path=path)
    done = predictor("verify", path)
    assert (done.returncode, done.stderr) == (0, "")
