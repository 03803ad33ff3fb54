"""Models of what native programs have kit's own code for, each with many outputs: one compile tests them all.

Each output is named for what it is of, so that a message names what differs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

import kit

BATCH = kit.Dim("batch", 1, 8)
Outputs = dict[str, Tensor]
OPERATIONS: dict[str, Callable[[], kit.Recipe]] = {}


def member(function: Callable[[], kit.Recipe]) -> Callable[[], kit.Recipe]:
    OPERATIONS[function.__name__] = function
    return function


def _numbered(name: str, tensors: list[Tensor] | tuple[Tensor, ...]) -> Outputs:
    return {f"{name}_{index}": tensor for index, tensor in enumerate(tensors)}


class Orders(nn.Module):
    """x: float32[batch, 7], n: int64[batch, 7] → what depends on order or on places."""

    def forward(self, x: Tensor, n: Tensor) -> Outputs:
        return {**self.sorted(x, n), **self.cumulated(x, n), **self.placed(x, n)}

    def sorted(self, x: Tensor, n: Tensor) -> Outputs:
        found: Outputs = {}
        for dim in (0, 1):
            found |= _numbered(f"sort_{dim}", x.sort(dim=dim, stable=True))
            found |= _numbered(f"sort_down_{dim}", x.sort(dim=dim, descending=True, stable=True))
        found |= _numbered("topk", [*x.topk(3, 1), *n.topk(4, 1)])
        found |= _numbered("topk_least", x.topk(2, 1, largest=False))
        found |= _numbered("sort_integers", n.sort(dim=1, stable=True))
        found |= _numbered("sort_bool", (x > 0).sort(dim=1, stable=True))
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            found |= _numbered(f"sort_{dtype}"[-8:], x.to(dtype).sort(dim=1, stable=True))
            found |= _numbered(f"topk_{dtype}"[-8:], x.to(dtype).topk(2, 1))
        found["argsort"] = x.argsort(dim=1, stable=True)  # the same as one before: an output that comes twice
        return found

    def cumulated(self, x: Tensor, n: Tensor) -> Outputs:
        sums = [x.cumsum(1), x.cumsum(0), n.cumsum(1), n.cumsum(1, dtype=torch.float32)]
        sums += [x.bfloat16().cumsum(1), (x > 0).cumsum(1)]
        return {
            **_numbered("cumsum", sums),
            **_numbered("cumprod", [x.cumprod(1), n.cumprod(0)]),
            **_numbered("cummax", x.cummax(1)),
            **_numbered("cummin", x.cummin(0)),
            "logcumsumexp": x.logcumsumexp(1),
        }

    def placed(self, x: Tensor, n: Tensor) -> Outputs:
        place = n.abs() % x.shape[1]
        found = {"scatter": torch.zeros_like(x).scatter(1, place, x)}
        for how in ("sum", "prod", "mean", "amax", "amin"):
            for include in (True, False):
                found[f"scatter_{how}_{include}"] = x.scatter_reduce(
                    1, place, x * 2, how, include_self=include
                )
        found["scatter_mean_of_integers"] = n.scatter_reduce(1, place, n, "mean")
        rows = torch.arange(x.shape[0])
        for name, values in {"float": x, "integers": n, "bfloat16": x.bfloat16().clone()}.items():
            target = values.clone()
            target.index_put_((rows, place[:, 0]), values[:, 1].clone(), accumulate=True)
            found[f"index_put_{name}"] = target
        masked = x.clone()
        masked[x > 0.5] = -1.0
        found["index_put_mask"] = masked
        return found


def _ordered(batch: int) -> tuple[Tensor, Tensor]:
    x, n = torch.randn(batch, 7), torch.randint(-4, 5, (batch, 7))
    x[0, 2] = x[0, 4] = torch.nan
    x[-1] = torch.tensor([-0.0, 0.25, -1.0, torch.inf, 0.5, 0.25, 0.0])
    return x, n


@member
def orders() -> kit.Recipe:
    cases = [_ordered(batch) for batch in (3, 1, 8)]
    return kit.Recipe(Orders(), cases[0], dynamic={"x": {0: BATCH}, "n": {0: BATCH}}, cases=cases)


class Attention(nn.Module):
    """q: float32[batch, 2, length, 8], k: the same with keys, mask: float32[batch, 2, length, keys]."""

    def forward(self, q: Tensor, k: Tensor, mask: Tensor) -> Outputs:
        attend = functional.scaled_dot_product_attention
        found: Outputs = {}
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            a, b, c = q.to(dtype), k.to(dtype), k.flip(-1).to(dtype)
            results = [attend(a, b, c), attend(a, b, c, attn_mask=mask.to(dtype))]
            results += [attend(a, b, c, is_causal=True), attend(a, b, c, attn_mask=mask > 0, scale=0.3)]
            found |= _numbered(str(dtype).removeprefix("torch."), results)
        heads_last, many = q.transpose(1, 2), k.repeat(1, 1, 5, 1)
        return {
            **found,
            "many_keys": attend(q[..., :7], many[..., :7], many),
            "heads_last": attend(heads_last, heads_last, heads_last),
            "mask_that_is_repeated": attend(q, k, k, attn_mask=mask[:1, :1]),
            "without_batch": attend(q[0], k[0], k[0]),
            "shared_keys": attend(q, k[:, :1], k[:, :1], enable_gqa=True),
        }


@member
def attention() -> kit.Recipe:
    cases = []
    for batch, length, keys in ((2, 5, 7), (1, 1, 1), (3, 130, 67)):
        mask = torch.randn(batch, 2, length, keys)
        mask[0, 0, 0] = -torch.inf  # a query that sees nothing
        mask[-1, 1, -1, 0] = -torch.inf
        cases.append((torch.randn(batch, 2, length, 8), torch.randn(batch, 2, keys, 8), mask))
    n, m = kit.Dim("length", 1, 200), kit.Dim("keys", 1, 200)
    dynamic = {"q": {0: BATCH, 2: n}, "k": {0: BATCH, 2: m}, "mask": {0: BATCH, 2: n, 3: m}}
    # Of 16 bits torch rounds what it computes on the way, and each kernel of its own does so at other places.
    tolerances = {"bfloat16": (2e-2, 1e-2), "float16": (2e-3, 2e-3)}
    return kit.Recipe(Attention(), cases[0], dynamic=dynamic, cases=cases, tolerances=tolerances)


class Exponentials(nn.Module):
    """x: float32[batch, 37]."""

    def forward(self, x: Tensor) -> Outputs:
        found: Outputs = {}
        for dtype in (torch.float32, torch.float64):
            y = x.to(dtype)
            results = [torch.erf(y), torch.exp(y), functional.gelu(y), torch.sigmoid(y)]
            found |= _numbered(str(dtype).removeprefix("torch."), results)
        return found


@member
def exponentials() -> kit.Recipe:
    cases = [torch.randn(batch, 37) * 4 for batch in (3, 1, 8)]
    return kit.Recipe(Exponentials(), cases[0], dynamic={"x": {0: BATCH}}, cases=cases)


class Convolutions(nn.Module):
    """x: float32[batch, 4, 9, 11]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.plane = nn.ModuleDict(
            {
                "plain": nn.Conv2d(4, 6, 3),
                "strided": nn.Conv2d(4, 6, 3, stride=2, padding=1),
                "uneven": nn.Conv2d(4, 8, (3, 1), (1, 2), (2, 0), (2, 1), groups=2, bias=False),
                "depthwise": nn.Conv2d(4, 4, 3, padding=1, groups=4),
                "depthwise_strided": nn.Conv2d(4, 8, 5, stride=2, padding=2, groups=4),
                "pointwise": nn.Conv2d(4, 6, 1),
                "pointwise_strided": nn.Conv2d(4, 6, 1, stride=2),
                "circular": nn.Conv2d(4, 3, 3, padding="same", padding_mode="circular"),
                "transposed": nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1),
                "transposed_in_groups": nn.ConvTranspose2d(4, 6, 3, 2, groups=2, dilation=2),
                "transposed_depthwise": nn.ConvTranspose2d(4, 4, 2, 2, groups=4, bias=False),
            }
        )
        self.line, self.line_transposed = nn.Conv1d(4, 6, 3, padding=1), nn.ConvTranspose1d(4, 5, 4, 3)
        self.volume = nn.Conv3d(2, 3, (2, 3, 3), stride=(1, 2, 1), padding=(0, 1, 1))
        self.in_float64 = nn.Conv2d(4, 6, 3, 2, 1).double()
        self.in_bfloat16 = nn.Conv2d(4, 6, 3, 2, 1).bfloat16()
        self.in_float16 = nn.Conv2d(4, 6, 3, 1, 1, groups=2).half()

    def forward(self, x: Tensor) -> Outputs:
        found = {name: part(x) for name, part in self.plane.items()}
        last = x.contiguous(memory_format=torch.channels_last)
        return {
            **found,
            "line": self.line(x.flatten(2)),
            "line_transposed": self.line_transposed(x.flatten(2)),
            "volume": self.volume(x.unflatten(1, (2, 2))),
            "float64": self.in_float64(x.double()),
            "bfloat16": self.in_bfloat16(x.bfloat16()),
            "float16": self.in_float16(x.half()),
            "of_a_transpose": self.plane["strided"](x.transpose(2, 3)),
            "channels_last": self.plane["plain"](last),
            "from_and_to_channels_last": self.plane["depthwise"](
                x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2)
            )
            .permute(0, 2, 3, 1)
            .softmax(-1),
            "weight_that_comes": functional.conv2d(x[:, :2], x[0].view(2, 2, 9, 11)[:, :, :3, :3]),
        }


@member
def convolutions() -> kit.Recipe:
    cases = [(torch.randn(batch, 4, 9, 11),) for batch in (2, 1, 3)]
    return kit.Recipe(Convolutions(), cases[0], dynamic={"x": {0: BATCH}}, cases=cases)


class Products(nn.Module):
    """a: float32[batch, rows, 8], b: float32[batch, columns, 8]."""

    def forward(self, a: Tensor, b: Tensor) -> Outputs:
        found: Outputs = {}
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            name, x, y = str(dtype).removeprefix("torch."), a.to(dtype), b.to(dtype)
            nothing = y[0, :, 0] * torch.nan
            results = [torch.addmm(y[0, :, 0], x[0], y[0].T, beta=0.5, alpha=2)]
            results += [torch.addmm(nothing, x[0], y[0].T, beta=0), x[0] @ y[0, 0], (x @ y.mT).mT @ x]
            results += [torch.baddbmm(x[:, :, :1], x, y.mT, alpha=0.5), *self.layouts(x, y)]
            found |= _numbered(name, results)
        for dtype in (torch.int64, torch.int32, torch.int8, torch.uint8):
            x, y = (part.nan_to_num().clamp(-9, 9).mul(3).to(dtype) for part in (a, b))
            found |= _numbered(str(dtype).removeprefix("torch."), self.layouts(x, y))
        return found

    def layouts(self, x: Tensor, y: Tensor) -> list[Tensor]:
        found = [x @ y.mT, x @ y[0].T, x[:, 0] @ y[0].T]
        return [*found, x[0] @ y[0].T, x[0].T @ x[0], x[0, :, ::2] @ y[0, :, ::2].T]


@member
def products() -> kit.Recipe:
    sizes = ((2, 5, 7), (1, 1, 1), (3, 33, 18))
    cases = [(torch.randn(batch, n, 8), torch.randn(batch, k, 8)) for batch, n, k in sizes]
    rows, columns = kit.Dim("rows", 1, 200), kit.Dim("columns", 1, 200)
    dynamic = {"a": {0: BATCH, 1: rows}, "b": {0: BATCH, 1: columns}}
    return kit.Recipe(Products(), cases[0], dynamic=dynamic, cases=cases)


class Complex(nn.Module):
    """x: float32[batch, 16], z: complex64[batch, 5]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(9, dtype=torch.complex64))

    def forward(self, x: Tensor, z: Tensor) -> Outputs:
        return {**self.transformed(x), **self.computed(x, z)}

    def transformed(self, x: Tensor) -> Outputs:
        half = torch.fft.rfft(x) * self.weight
        square = x.reshape(-1, 4, 4)
        whole = torch.complex(square, square + 1)
        found = [
            half,
            torch.fft.irfft(half, n=16),
            torch.fft.irfft(half, n=15),
            torch.fft.fft(x.double()).real,
        ]
        found += [torch.fft.fft2(whole, norm="ortho"), torch.fft.ifft(whole, dim=1)]
        found += [torch.fft.rfft2(square), torch.fft.irfft2(whole), torch.fft.fft(x), torch.fft.hfft(whole)]
        return _numbered("transformed", [*found, half.abs(), half.real, half.imag])

    def computed(self, x: Tensor, z: Tensor) -> Outputs:
        turned = torch.view_as_complex(x.reshape(-1, 8, 2)) * torch.polar(x[:, :8].abs(), x[:, :8])
        found = [
            z / z.conj(),
            z / 0,
            (z * z.conj()).real.sqrt(),
            z.sum(-1),
            z.mean(1),
            z.sum(),
            z + 1,
            2 - z,
            -z,
        ]
        found += [
            z.reshape(-1, 5, 1),
            z[:, 1:3].transpose(0, 1),
            torch.cat([z, z * 2j], 1),
            z.T.unsqueeze(-2),
        ]
        found += [torch.where(z.real > 0, z, z.conj()), torch.view_as_real(turned).flatten(1), z * torch.inf]
        found += [torch.where(z.real > 0, z, 2.0), z.masked_fill(z.imag > 0, 1 - 2j)]
        found += [z + torch.full((5,), 3j)]
        outer = (z[:, :, None] * z[:, None]).to(torch.complex128)
        found += [z.angle(), z @ z[0], (outer @ z[:, :, None].to(torch.complex128)).to(torch.complex64)]
        return _numbered("computed", found)


@member
def complex_numbers() -> kit.Recipe:
    cases = [(torch.randn(batch, 16), torch.randn(batch, 5, dtype=torch.complex64)) for batch in (3, 1, 4)]
    # Which parts of a transform of infinity are NaN depends on how it is computed: there is none in x.
    cases[2][1][1, 1], cases[2][1][0, 0] = torch.nan, 0
    return kit.Recipe(Complex(), cases[0], dynamic={"x": {0: BATCH}, "z": {0: BATCH}}, cases=cases)


class WholeNumbers(nn.Module):
    """n: int64[batch, 9, 300] → products of matrices, some of whose elements no dtype has room for."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("weight", torch.randint(-128, 128, (300, 17)))

    def forward(self, n: Tensor) -> Outputs:
        found: Outputs = {}
        for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
            x = n.to(dtype)
            results = [x[0].T @ x[0], x[:, 0] @ x[0].T, x @ x.mT, x[0, :, ::7] @ x[0, :, 1::7].T]
            weight = self.weight.to(dtype)
            results += [x @ weight, torch.addmm(weight[0], x[0], weight)]
            results.append(torch.addmm(x[0, :1, :8], x[0, :, :5], x[0, :5, :8], beta=2, alpha=-3))
            found |= _numbered(str(dtype).removeprefix("torch."), results)
        return found


@member
def whole_numbers() -> kit.Recipe:
    limits = torch.iinfo(torch.int64)
    cases = [(torch.randint(limits.min, limits.max, (batch, 9, 300)),) for batch in (3, 1, 5)]
    return kit.Recipe(WholeNumbers(), cases[0], dynamic={"n": {0: BATCH}}, cases=cases)


class Bags(nn.Module):
    """tokens: int64[length] in 0..10, offsets: int64[bags] → bags of each kind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(11, 6))

    def forward(self, tokens: Tensor, offsets: Tensor) -> Outputs:
        found = {}
        for mode in ("sum", "mean", "max"):
            for padding in (None, 3):
                found[f"{mode}_{padding}"] = functional.embedding_bag(
                    tokens, self.weight, offsets, mode=mode, padding_idx=padding
                )
        half = self.weight.bfloat16()
        return {**found, "bfloat16": functional.embedding_bag(tokens, half, offsets, mode="sum")}


@member
def bags() -> kit.Recipe:
    starts = {7: [0, 3], 9: [0, 2, 2, 8], 4: [0]}
    cases = [(torch.arange(length) * 3 % 11, torch.tensor(list_)) for length, list_ in starts.items()]
    dynamic = {"tokens": {0: kit.Dim("length", 1, 64)}, "offsets": {0: kit.Dim("bags", 1, 16)}}
    return kit.Recipe(Bags(), cases[0], dynamic=dynamic, cases=cases)


class Pieces(nn.Module):
    """x: float32[batch, 32] → what is computed with weights that are pieces of one storage."""

    square: Tensor
    turned: Tensor
    narrow: Tensor
    stack: Tensor
    taps: Tensor
    table: Tensor
    spread: Tensor
    nothing: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Parameter(torch.randn(4 * 1024 + 8))
        whole = self.whole.detach()
        self.register_buffer("square", whole[1024:2048].view(32, 32))
        self.register_buffer("turned", whole[7:1031].view(32, 32).t())
        self.register_buffer("narrow", whole[2048:3072].view(32, 32)[:, 3:20])
        self.register_buffer("stack", whole[8:2056].view(2, 32, 32))
        self.register_buffer("taps", whole[1000:1096].view(2, 4, 12)[:, :, 5:8])
        self.register_buffer("table", whole[2000:2040].view(10, 4))
        self.register_buffer("spread", whole[5::3][:32])
        self.register_buffer("nothing", whole[9:9].view(32, 0))

    def forward(self, x: Tensor) -> Outputs:
        pairs = torch.stack([x, x + 1])
        signal = x[:, None].expand(-1, 4, -1)
        return {
            "product": x @ self.square,
            "of_turned": x @ self.turned,
            "of_narrow": x @ self.narrow,
            "with_bias": functional.linear(x, self.square, self.spread),
            "sum_of_products": x @ self.square + x.tanh() @ self.turned,
            "stacked": torch.bmm(pairs, self.stack),
            "convolved": functional.conv1d(signal, self.taps),
            "through_nothing": x @ self.nothing @ self.nothing.t(),
            "bias_alone": torch.addmm(self.spread, x @ self.nothing, self.nothing.t()),
            "embedded": functional.embedding((x[:, :3] > 0).long(), self.table),
            "spread": x * self.spread + self.whole[-1],
        }


@member
def pieces() -> kit.Recipe:
    torch.manual_seed(0)
    return kit.Recipe(Pieces().eval(), torch.randn(4, 32), dynamic={"x": {0: BATCH}}, cases=4)
