"""An archive of a model with three methods, put together from kit's parts.

forward  x: float32[batch, 3] -> output: float32[batch, 2]
encode   x: float32[3], shift: float32[3] -> code: float32[3]; called as encode(x, shift=shift)
sample   x: float32[3] -> output: float32[3]; with random numbers
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from kit.archive import member_infos, write_archive
from kit.cases import Case, encode
from kit.compare import DEFAULT_TOLERANCES
from kit.manifest import Manifest, ProgramInfo
from kit.method import Method
from kit.programs.canonical import canonical_members
from kit.signature import Dim, Signature, TensorSpec
from kit.structure import Call

SEED = 20


class Several(nn.Module):
    """Its methods share the weight of `linear`."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def encode(self, x: Tensor, shift: Tensor) -> Tensor:
        return self.linear.weight.sum(0) * x + shift

    def sample(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x) * self.linear.bias.sum()


def spec(name: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name, "float32", shape)


SIGNATURES = {
    "forward": Signature(
        (spec("x", "batch", 3),),
        (spec("output", "batch", 2),),
        (Dim("batch", 1, 64),),
        Call({"tuple": [{"tensor": 0}]}, {"dict": {}}, {"tensor": 0}, ("x",)),
    ),
    "encode": Signature(
        (spec("x", 3), spec("shift", 3)),
        (spec("code", 3),),
        (),
        Call({"tuple": [{"tensor": 0}]}, {"dict": {"shift": {"tensor": 1}}}, {"tensor": 0}, ("x",)),
    ),
    "sample": Signature(
        (spec("x", 3),),
        (spec("output", 3),),
        (),
        Call({"tuple": [{"tensor": 0}]}, {"dict": {}}, {"tensor": 0}, ("x",)),
    ),
}


def write_several(path: Path, change: Callable[[str, Tensor], Tensor] = lambda _, output: output) -> Several:
    """Write the archive; gives its model. `change` gets a method and an output, and gives what is golden."""
    torch.manual_seed(3)
    model = Several().eval()
    inputs = {"forward": [torch.randn(2, 3)], "encode": [torch.randn(3), torch.randn(3)]}
    inputs["sample"] = [torch.randn(3)]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        example = {name: tuple(tensors) for name, tensors in inputs.items()}
        members = canonical_members(torch.jit.trace_module(model, example, check_trace=False))
        methods = []
        for name, signature in SIGNATURES.items():
            torch.manual_seed(SEED)
            output = change(name, getattr(model, name)(*inputs[name]))
            folder = "" if name == "forward" else f"methods/{name}/"
            members[f"extra/kit/{folder}cases.safetensors"] = encode(
                signature, [Case(inputs[name], [output.contiguous()], name)]
            )
            seed = SEED if name == "sample" else None
            tried = {"batch": (1, 2, 64)} if name == "forward" else {}
            tolerances = {"float32": DEFAULT_TOLERANCES["float32"]}
            methods.append(Method(name, signature, 1, tolerances, seed, tried))
    program = ProgramInfo("torchscript", "any", torch.__version__.partition("+")[0])
    manifest = Manifest("several", tuple(methods), (program,), member_infos(members))
    write_archive(path, members, manifest, lambda _: None)
    return model
