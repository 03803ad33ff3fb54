"""Models in the C++ engine, called like the eager one."""

from __future__ import annotations

import copy
import inspect
import re
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.binding import native
from kit.errors import ArchiveError, ArchiveWarning, InputError, UnavailableError, UsageError

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
BATCH = kit.Dim("batch", 0, 64)


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Nested(nn.Module):
    def forward(self, x: Tensor, boxes: Sequence[Any], scale: float = 1.0, *, mask: Tensor) -> dict[str, Any]:
        y = x * scale + boxes[0]
        return {"z": Pair(y, boxes[1]["deep"]), "a": [mask, (mask, None)], "fixed": 3}


@pytest.fixture(scope="module")
def relu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("relu") / "model.pt"
    kit.export(nn.ReLU(), X, path, dynamic={"input": {0: BATCH}}, name="relu")
    return path


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nested") / "model.pt"
    kit.export(Nested(), (X, [X, {"deep": X}], 2.0), path, kwargs={"mask": X > 2}, cases=2)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript file of torch's own."""
    path = tmp_path_factory.mktemp("plain") / "plain.pt"

    class Two(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
            return a + b, a - b

    torch.jit.trace(Two(), (X, X)).save(str(path))
    return path


def test_a_flat_model(relu: Path) -> None:
    model = kit.load(relu)
    assert (model.name, model.engine) == ("relu", "torchscript")
    assert model.warnings == []
    assert model.signature is not None
    assert str(model.signature.inputs[0]) == "float32[batch, 3]"
    assert torch.equal(model(X - 3), (X - 3).relu())
    assert torch.equal(model(input=X - 3), (X - 3).relu())
    assert model(X[:0]).shape == (0, 3)
    assert torch.equal(model.predict([X])[0], X)
    assert "relu" in repr(model)


def test_strided_and_gradient_carrying_inputs(relu: Path) -> None:
    model = kit.load(relu)
    wide = torch.randn(3, 5)
    assert torch.equal(model(wide.t()), wide.t().relu())
    assert torch.equal(model(wide[:, 1:4]), wide[:, 1:4].relu())
    result = model(X.clone().requires_grad_())
    assert not result.requires_grad


def test_outputs_are_new_memory_and_inputs_are_not_changed(tmp_path: Path) -> None:
    kit.export(lambda x: (x, x.t(), x * 2, x), X, tmp_path / "model.pt")
    model = kit.load(tmp_path / "model.pt")
    x = X.clone()
    outputs = model(x)
    for index, wanted in enumerate((X, X.t(), X * 2, X)):
        assert torch.equal(outputs[index], wanted)
        outputs[index].zero_()
    assert torch.equal(x, X)


def peak_growth(work: Callable[[], object]) -> int:
    """Bytes by which the greatest resident memory during `work` exceeds what was resident before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, from what is resident now
    before = resident("VmHWM")
    work()
    return resident("VmHWM") - before


def resident(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def test_neither_inputs_nor_outputs_are_copied(tmp_path: Path) -> None:
    size = 32 << 20  # float32: 128 MiB
    dynamic = {"x": {0: kit.Dim("length", 1, size)}}
    kit.export(lambda x: (x[:1] + 1, x * 2), torch.ones(4), tmp_path / "model.pt", dynamic=dynamic, cases=2)
    model = kit.load(tmp_path / "model.pt")
    x = torch.ones(size)
    model(x[:4])
    # Only the output is new: a copy of the input, or a second one of the output, would double this.
    assert x.nbytes * 0.9 < peak_growth(lambda: model(x)) < x.nbytes * 1.5


def test_other_python_threads_run_meanwhile(tmp_path: Path) -> None:
    kit.export(lambda x: x @ x @ x @ x @ x @ x, torch.ones(1000, 1000), tmp_path / "model.pt", cases=1)
    model = kit.load(tmp_path / "model.pt")
    x = torch.ones(1000, 1000)
    spans: list[tuple[float, float]] = []

    def predict() -> None:
        start = time.perf_counter()
        model(x)
        spans.append((start, time.perf_counter()))

    thread = threading.Thread(target=predict)
    ticks = []
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.0005)
    (start, end) = spans[0]
    # With the lock held, no tick could fall into the middle of the call, however long it takes.
    third = (end - start) / 3
    assert any(start + third < tick < end - third for tick in ticks)


def test_nan_and_infinity_are_data(relu: Path) -> None:
    x = torch.tensor([[torch.nan, torch.inf, -torch.inf]])
    assert torch.equal(kit.load(relu)(x).nan_to_num(7), x.relu().nan_to_num(7))


def test_a_nested_model_takes_and_gives_what_the_eager_one_does(nested: Path) -> None:
    model = kit.load(nested)
    boxes: list[Any] = [X + 1, {"deep": X + 2}]
    mask = X > 4
    wanted = Nested()(X, boxes, 2.0, mask=mask)
    for result in (
        model(X, boxes, 2.0, mask=mask),
        model(X, boxes=boxes, scale=2.0, mask=mask),
        model(mask=mask, scale=2.0, boxes=boxes, x=X),
    ):
        assert list(result) == ["z", "a", "fixed"]
        assert torch.equal(result["z"].first, wanted["z"].first)
        assert torch.equal(result["z"].second, boxes[1]["deep"])
        assert torch.equal(result["a"][0], mask)
        assert result["a"][1][1] is None
        assert result["fixed"] == 3


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (
            (X, [X, {"deep": X}]),
            {"mask": X > 2},
            r"the model takes \(x, boxes, scale, mask=\), came \(2 positional, m",
        ),
        (
            (X, [X, {"deep": X}], 3.0),
            {"mask": X > 2},
            "argument 'scale': it was fixed at export as 2.0, came 3.0",
        ),
        ((X, [X], 2.0), {"mask": X > 2}, "argument 'boxes': wanted a list of 2, came a list of 1"),
        ((X, [X, {"deep": 1}], 2.0), {"mask": X > 2}, r"argument 'boxes'\.1\.deep: wanted a tensor, came 1"),
        ((X, [X, {"deep": X}], 2.0), {"mask": X}, r"input 'mask'.*wanted bool\[2, 3\].*float32\[2, 3\]"),
        (
            (X[:1], [X, {"deep": X}], 2.0),
            {"mask": X > 2},
            r"input 'x'.*wanted float32\[2, 3\].*float32\[1, 3\]",
        ),
    ],
)
def test_arguments_that_do_not_fit(nested: Path, args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        kit.load(nested)(*args, **kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"the model takes \(input\), came \(0 positional\); give the arguments of the export"),
        ((X, X), {}, r"the model takes \(input\), came \(2 positional\); give the arguments of the export"),
        ((), {"y": X}, r"the model takes \(input\), came \(0 positional, y=\)"),
        ((3,), {}, "argument 'input': wanted a tensor, came 3; give a torch.Tensor"),
        (([X],), {}, "argument 'input': wanted a tensor, came a list of 1; give a torch.Tensor"),
        ((None,), {}, "argument 'input': wanted a tensor, came None; give a torch.Tensor"),
        ((X.double(),), {}, r"input 'input': wanted float32\[batch, 3\], got float64\[2, 3\]"),
        ((X[:, :2],), {}, r"input 'input': wanted .*, got float32\[2, 2\]: dimension 1 must be 3"),
        ((X.to_sparse(),), {}, "sparse, nested and quantized tensors are not supported; give a dense one"),
    ],
)
def test_arguments_that_a_flat_model_does_not_take(relu: Path, args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        kit.load(relu)(*args, **kwargs)


def test_a_nested_tensor_is_refused(relu: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors")
        nested = torch.nested.nested_tensor([X[0], X[0]])
    with pytest.raises(InputError, match="sparse, nested and quantized tensors are not supported"):
        kit.load(relu)(nested)


def test_the_binding_is_called_with_a_tuple_and_leaves_the_rest_to_python(relu: Path) -> None:
    own = kit.load(relu)._native
    result = own.call((X - 3,))
    assert isinstance(result, Tensor)
    assert torch.equal(result, (X - 3).relu())
    for arguments in ((), (X, X), (3,), ([X],), (None,)):
        assert own.call(arguments) is None
    with pytest.raises(TypeError, match="call takes a tuple"):
        own.call([X])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the model was not loaded"):
        type(own).__new__(type(own)).call((X,))
    with pytest.raises(TypeError):
        type(own).call(own.method, (X,))  # type: ignore[arg-type]


def test_a_model_goes_with_its_last_reference(relu: Path) -> None:
    model = kit.load(relu)
    own, there = model._native, weakref.ref(model)
    counted = sys.getrefcount(own)
    model(X)
    model(input=X)
    for arguments in ((X.double(),), (3,), ()):
        with pytest.raises(InputError):
            model(*arguments)
    assert sys.getrefcount(own) == counted
    del model
    assert there() is None
    assert sys.getrefcount(own) == counted - 1


def test_a_model_has_the_signature_of_a_function_of_anything(relu: Path) -> None:
    assert [str(one) for one in inspect.signature(kit.load(relu)).parameters.values()] == [
        "*args",
        "**kwargs",
    ]


def test_a_copy_is_the_same_loaded_model(relu: Path) -> None:
    model = kit.load(relu)
    other = copy.copy(model)
    assert other._native is model._native
    assert repr(other) == repr(model)
    del model
    assert torch.equal(other(X - 3), (X - 3).relu())


def test_a_caller_without_a_model_says_what_it_lacks() -> None:
    with pytest.raises(AttributeError, match="_general"):
        native.Caller()(X)


class Marked(Tensor):
    """A tensor of a class of the user's."""


@pytest.mark.parametrize("x", [nn.Parameter(X - 3), (X - 3).as_subclass(Marked)])
def test_tensors_of_other_classes_are_inputs_and_outputs_are_plain(relu: Path, x: Tensor) -> None:
    result = kit.load(relu)(x)
    assert torch.equal(result, (X - 3).relu())
    assert type(result) is Tensor
    assert not result.requires_grad


def test_an_output_outlives_its_model_and_can_be_changed(relu: Path) -> None:
    model = kit.load(relu)
    results = [model(X * scale) for scale in range(1, 4)]
    del model
    for scale, result in enumerate(results, 1):
        assert torch.equal(result, X * scale)
        result.add_(1)
        assert torch.equal(result.detach().requires_grad_().exp(), (X * scale + 1).exp())


def test_several_outputs_are_a_tuple(tmp_path: Path) -> None:
    kit.export(lambda x, y: (x + y, x - y), (X, X), tmp_path / "two.pt")
    kit.export(lambda x: [x + 1], X, tmp_path / "list.pt")
    kit.export(lambda x: (x + 1,), X, tmp_path / "one.pt")
    total, difference = results = kit.load(tmp_path / "two.pt")(X, X + 1)
    assert type(results) is tuple
    assert torch.equal(total, X + X + 1)
    assert torch.equal(difference, X - (X + 1))
    for name, kind in (("list.pt", list), ("one.pt", tuple)):
        result = kit.load(tmp_path / name)(X)
        assert type(result) is kind
        assert torch.equal(result[0], X + 1)


def test_many_threads_may_call_at_once(relu: Path) -> None:
    model = kit.load(relu)
    failures: list[int] = []

    def work(seed: int) -> None:
        x = torch.randn(7, 3, generator=torch.Generator().manual_seed(seed))
        failures.extend(seed for _ in range(200) if not torch.equal(model(x), x.relu()))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_plain_torchscript_file_loads_with_a_warning(plain: Path) -> None:
    with pytest.warns(ArchiveWarning) as caught:
        model = kit.load(plain)
    assert [str(one.message) for one in caught] == model.warnings
    assert {Path(one.filename).name for one in caught} == {"test_runtime.py"}
    assert model.signature is None
    assert model.name == str(plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        total, difference = model(X, X + 1)
    assert torch.equal(total, X + X + 1)
    assert torch.equal(difference, X - (X + 1))
    for args, kwargs in [((X,), {}), ((X, 3), {}), ((X,), {"b": X})]:
        with pytest.raises(InputError, match=r"the model takes 2 tensors \(a, b\)"):
            model(*args, **kwargs)


def test_a_plain_torchscript_file_has_nothing_to_inspect(plain: Path) -> None:
    archive = kit.inspect(plain)
    assert archive.manifest is None
    assert archive.signature is None
    assert archive.to_dict()["manifest"] is None
    assert "no manifest" in str(archive)
    with pytest.raises(ArchiveError):
        archive.cases()


def test_engines_and_devices_that_are_not_there(relu: Path) -> None:
    with pytest.raises(UnavailableError, match="native"):
        kit.load(relu, engine="native")
    with pytest.raises(UsageError):
        kit.load(relu, engine="onnx")
    with pytest.raises(UsageError):
        kit.load(relu, device="tpu")
    with pytest.raises(UnavailableError):
        kit.load(relu, device="cuda:99")


def test_a_device_of_torch_is_one(relu: Path, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    model = kit.load(relu, device=cpu)
    assert model.device == "cpu"
    assert torch.equal(model(X - 2), torch.relu(X - 2))
    assert kit.verify(relu, device=cpu).passed
    assert kit.lint(torch.relu, torch.ones(2), device=cpu) == []
    assert kit.export(torch.relu, torch.ones(2), tmp_path / "model.pt", device=cpu).manifest is not None


def test_arguments_of_another_kind(relu: Path) -> None:
    wrong: Any = {"threads": 1}
    for run in (kit.load, kit.verify):
        with pytest.raises(UsageError, match=r"configuration is \{'threads': 1\}; give a kit\.Configuration"):
            run(relu, configuration=wrong)
    model = kit.load(relu)
    for seed in (-1, 2**64, "a", 1.5):
        with pytest.raises(UsageError, match=r"the seed is .*; give a whole number from 0 to"):
            model.seed(seed)  # type: ignore[arg-type]
    model.seed(2**64 - 1)
    one = torch.ones(1, 2)
    for inputs, what in ((one, "a Tensor"), (None, "a NoneType"), ([one, 3], "a list with a int in it")):
        with pytest.raises(InputError, match=f"predict takes a list of tensors, not {what}; give one for"):
            model.predict(inputs)  # type: ignore[arg-type]


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "empty.pt").touch()
    for path in (tmp_path, tmp_path / "no.pt", tmp_path / "empty.pt", Path(__file__)):
        with pytest.raises(ArchiveError, match=str(path)):
            kit.load(path)
