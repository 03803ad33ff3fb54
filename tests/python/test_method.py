"""Methods as the manifest has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.compare import Tolerance
from kit.fields import Fault
from kit.method import Method, read_methods
from kit.signature import Dim, Signature, TensorSpec
from kit.structure import Call

EXAMPLE = Path(__file__).parents[1] / "data/manifests/good/several_methods.json"


def example() -> dict[str, Any]:
    root: dict[str, Any] = json.loads(EXAMPLE.read_text())
    return root


def test_seeds_and_tried_sizes_are_kept() -> None:
    forward, decode, encode = read_methods(example())
    assert (forward.seed, decode.seed, encode.seed) == (0, None, 2**63 - 1)
    assert forward.tried == {"batch": (1, 2, 3, 5, 4096)}
    assert encode.tried == {}
    assert encode.signature.call.args["tuple"][1] == {"tensor": 1, "scalar": "float"}
    assert encode.signature.call.output["dataclass"] == "Encoded"


def test_they_are_written_as_they_were_read() -> None:
    root = example()
    forward, decode, encode = read_methods(root)
    root["signature"]["structure"].setdefault("parameters", [])
    assert forward.to_dict() == {key: root[key] for key in ("signature", "cases", "tolerances")}
    assert {"_decode2": decode.to_dict(), "encode": encode.to_dict()} == root["methods"]


def test_what_is_not_known_is_not_written() -> None:
    signature = Signature(
        (TensorSpec("x", "float32", ("n",)),),
        (TensorSpec("y", "float32", ("n",)),),
        (Dim("n", 1, 4),),
        Call({"tuple": [{"tensor": 0}]}, {"dict": {}}, {"tensor": 0}),
    )
    written = Method("forward", signature, 2, {"float32": Tolerance(0.0, 0.0)}).to_dict()
    assert written["cases"] == {"count": 2}
    assert written["signature"]["dims"] == {"n": {"min": 1, "max": 4}}


def test_whether_rows_depend() -> None:
    root = example()
    assert not any(method.rows_depend for method in read_methods(root))
    root["rows"] = root["methods"]["encode"]["rows"] = "dependent"
    forward, decode, encode = read_methods(root)
    assert (forward.rows_depend, decode.rows_depend, encode.rows_depend) == (True, False, True)
    assert forward.to_dict()["rows"] == "dependent"
    assert "rows" not in decode.to_dict()
    for rows, message in (("apart", "'rows' of the method 'encode' is 'apart'"), (True, "wrong type")):
        root["methods"]["encode"]["rows"] = rows
        with pytest.raises(Fault, match=message):
            read_methods(root)


@pytest.mark.parametrize("name", ["forward", "", "2d", "a/b", "..", "größe", "a\n", "a b"])
def test_names_that_none_can_have(name: str) -> None:
    root = example()
    root["methods"] = {name: root["methods"]["encode"]}
    with pytest.raises(Fault, match="which is no name of a further method"):
        read_methods(root)
