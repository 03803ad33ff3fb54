"""Graphs and reports in JSON, by hand: as of relu(x * m1 + m2) @ m2 + 20 and an unused sum."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

FILE = "code/__torch__/chain.py"
FLOAT = "Float(4, 4, strides=[4, 1], requires_grad=0, device=cpu)"
CODE = {
    3: "m1 = self.m1",
    4: "m2 = self.m2",
    5: "_0 = torch.mul(x, m1)",
    6: "_1 = torch.add(_0, m2)",
    7: "_2 = torch.relu(_1)",
    8: "unused = torch.sum(x)",
    9: "_3 = torch.matmul(_2, m2)",
    10: "return torch.add(_3, 20)",
}


def sources() -> Json:
    """Lines of the model's own code: two of them add, and one line of the archive's code holds both."""

    def source(operation: str, line: int, text: str) -> Json:
        return {"operation": operation, "file": "models/own.py", "line": line, "text": text}

    first, second = "y = scaled(x)", "y = shifted(y)"
    return {
        FILE: {
            5: [source("aten::mul", 7, first)],
            6: [source("aten::add", 7, first), source("aten::add", 9, second), source("aten::sin", 8, "")],
        }
    }


def node(operation: str, inputs: str, output: str, line: int = 0, kind: str = "Tensor", **more: Any) -> Json:
    """A node; names of inputs and outputs as words of a text."""
    found: Json = {
        "operation": operation,
        "inputs": inputs.split(),
        "outputs": [{"name": name, "type": kind} for name in output.split()],
        **({"block": 0} | more),
    }
    if line:
        found["line"] = {"file": FILE, "line": line, "text": CODE[line]}
    return found


def block(output: str, *inputs: str) -> Json:
    """A block of a node."""
    return {"inputs": [{"name": name, "type": "Tensor"} for name in inputs], "outputs": [output]}


def graph(stage: str, inputs: dict[str, str], nodes: list[Json], output: str) -> Json:
    """A graph of the method forward."""
    return {
        "stage": stage,
        "method": "forward",
        "text": f"graph of the {stage} stage",
        "inputs": [{"name": name, "type": kind} for name, kind in inputs.items()],
        "outputs": [output],
        "nodes": nodes,
    }


def traced() -> Json:
    """As recorded: weights are attributes, and a sum is computed that nothing takes."""
    nodes = [
        node("prim::Constant", "", "7", 6, "int", constant="1"),
        node("prim::Constant", "", "8", 10, "int", constant="20"),
        node("prim::GetAttr", "", "m1", 3, attribute="m1"),
        node("prim::GetAttr", "", "m2", 4, attribute="m2"),
        node("aten::mul", "x m1", "10", 5),
        node("aten::add", "10 m2 7", "11", 6),
        node("aten::relu", "11", "12", 7),
        node("aten::sum", "x", "unused.1", 8),
        node("aten::matmul", "12 m2", "14", 9),
        node("aten::add", "14 8 7", "15", 10),
    ]
    return graph("traced", {"x": "Tensor"}, nodes, "15")


def frozen() -> Json:
    """With the weights as constants, and without the sum."""
    nodes = [
        node("prim::Constant", "", "self.m1", 3, constant="Float(4, 4) tensor", attribute="m1"),
        node("prim::Constant", "", "self.m2", 4, constant="Float(4, 4) tensor", attribute="m2"),
        node("prim::Constant", "", "2", 6, "int", constant="1"),
        node("prim::Constant", "", "3", 10, "int", constant="20"),
        node("aten::mul", "x self.m1", "4", 5),
        node("aten::add", "4 self.m2 2", "5", 6),
        node("aten::relu", "5", "6", 7),
        node("aten::matmul", "6 self.m2", "7", 9),
        node("aten::add", "7 3 2", "8", 10),
    ]
    return graph("frozen", {"x": "Tensor"}, nodes, "8")


def optimized() -> Json:
    """With one group, the guard around it, and a call of what runs if the guard fails."""
    group: Json = {"group": 0, "parent": 5, "block": 0}
    nodes = [
        node("prim::Constant", "", "self.m1", 3, constant="Float(4, 4) tensor", attribute="m1"),
        node("prim::Constant", "", "self.m2", 4, constant="Float(4, 4) tensor", attribute="m2"),
        node("prim::Constant", "", "2", 6, "int", constant="1"),
        node("prim::Constant", "", "3", 10, "int", constant="20"),
        {
            **node("prim::TypeCheck", "x", "20"),
            "outputs": [{"name": "20", "type": FLOAT}, {"name": "21", "type": "bool"}],
        },
        node("prim::If", "21", "22", kind=FLOAT, blocks=[block("g0.6"), block("23")]),
        node("aten::mul", "20 self.m1", "g0.4", 5, FLOAT, **group),
        node("aten::add", "g0.4 self.m2 2", "g0.5", 6, FLOAT, **group),
        node("aten::relu", "g0.5", "g0.6", 7, FLOAT, **group),
        node("prim::CallFunction", "x", "23", parent=5, block=1),
        node("aten::matmul", "22 self.m2", "24", 9),
        node("aten::add", "24 3 2", "25", 10),
    ]
    return graph("optimized", {"x": "Tensor"}, nodes, "25")


def stages() -> list[Json]:
    """All three."""
    return [traced(), frozen(), optimized()]


def report() -> Json:
    """What was fused, and what was not."""

    def operation(name: str, line: int) -> Json:
        return {"operation": name, "line": {"file": FILE, "line": line, "text": CODE[line]}}

    return {
        "method": "forward",
        "device": "cpu",
        "torch": "2.13.0",
        "configuration": {"fusion": True, "executor": "profiling", "freeze": True, "threads": 1},
        "sizes": [{"batch": 4}],
        "calls": 3,
        "compilations": 1,
        "groups": [
            {
                "name": "fused_mul_add_relu",
                "operations": [
                    operation("aten::mul", 5),
                    operation("aten::add", 6),
                    operation("aten::relu", 7),
                ],
                "dynamic": False,
                "inputs": [FLOAT],
                "counted": True,
                "runs": 2,
                "fallbacks": 0,
                "language": "tensor expressions",
                "source": "for (int64_t i = 0ll; i < 16ll; i++) {\n  y[i] = max(x[i] * m1[i] + m2[i], 0);\n}",
            }
        ],
        "left_out": [
            operation("aten::matmul", 9) | {"reason": "it is not pointwise"},
            operation("aten::add", 10) | {"reason": "it stands alone, and a group takes two operations"},
        ],
    }


def large(count: int) -> Json:
    """A chain of blocks with connections around them: `count` operations that compute."""
    nodes: list[Json] = []
    value = "x"
    for index in range(count // 4):
        nodes += [
            node("prim::GetAttr", "", f"w{index}", 3, attribute=f"layers.{index}.weight"),
            node("prim::Constant", "", f"c{index}", 6, "int", constant="1"),
            node("aten::linear", f"{value} w{index}", f"a{index}", 9),
            node("aten::relu", f"a{index}", f"b{index}", 7),
            node("aten::mul", f"a{index} b{index}", f"d{index}", 5),
            node("aten::add", f"d{index} {value} c{index}", f"e{index}", 6),
        ]
        value = f"e{index}"
    return graph("traced", {"x": "Tensor"}, nodes, value)
