"""The manifest, and its JSON Schema."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from kit.compare import Tolerance
from kit.errors import ArchiveError, UsageError
from kit.manifest import ConstantInfo, Manifest, MemberInfo, ProgramInfo, ProgramMethod
from kit.method import Method
from kit.signature import Dim, Signature, TensorSpec
from kit.structure import Call

EXAMPLES = Path(__file__).parents[1] / "data" / "manifests"
GOOD = sorted(EXAMPLES.glob("good/*.json"))
BAD = sorted(EXAMPLES.glob("bad/*.json"))
BAD_STRUCTURE = sorted(EXAMPLES.glob("bad_structure/*.json"))  # what C++ does not read
BEYOND_A_SCHEMA = {
    "dim_of_another_method",
    "dim_min_above_max",
    "dim_not_declared",
    "input_name_twice",
    "input_not_in_the_structure",
    "input_twice_in_the_structure",
    "key_twice",
    "keys_of_another_dict",
    "fields_too_few",
    "member_listed_twice",
    "output_index_too_large",
    "output_name_twice",
    "program_constant_beyond_its_member",
    "program_constant_of_no_member",
    "program_constant_overflows",
    "program_library_is_no_member",
    "program_library_is_the_manifest",
    "program_method_not_declared",
    "program_package_is_no_member",
    "program_part_beyond_its_member",
    "program_part_beyond_the_package",
    "program_part_within_another",
    "program_twice",
    "tolerance_overflows",
}


def stem(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(resources.files("kit").joinpath("manifest.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_there_are_examples() -> None:
    assert len(GOOD) >= 4
    assert len(BAD) >= 12
    assert {path.stem for path in (*BAD, *BAD_STRUCTURE)} >= BEYOND_A_SCHEMA


@pytest.mark.parametrize("path", GOOD, ids=stem)
def test_good_examples_are_read_and_written(path: Path, validator: Any) -> None:
    text = path.read_text()
    validator.validate(json.loads(text))
    manifest = Manifest.parse(text, "it")
    assert Manifest.parse(manifest.to_json(), "it") == manifest
    validator.validate(manifest.to_dict())


@pytest.mark.parametrize("path", [*BAD, *BAD_STRUCTURE], ids=stem)
def test_bad_examples_are_refused(path: Path) -> None:
    with pytest.raises(ArchiveError) as raised:
        Manifest.parse(path.read_text(), "the/path.pt")
    assert str(raised.value).startswith("the/path.pt: ")
    assert "\n" not in str(raised.value)


def test_a_byte_order_mark_is_refused() -> None:
    text = (EXAMPLES / "good/minimal.json").read_text()
    Manifest.parse(text, "it")
    with pytest.raises(ArchiveError, match="bad manifest: it is no valid JSON"):
        Manifest.parse(f"\ufeff{text}", "it")


@pytest.mark.parametrize("value", [False, None, [], "args"])
def test_a_structure_is_an_object(value: Any) -> None:
    root = json.loads((EXAMPLES / "good/minimal.json").read_text())
    root["signature"]["structure"] = value
    with pytest.raises(ArchiveError, match="'structure' of the signature has the wrong type"):
        Manifest.parse(json.dumps(root), "it")


@pytest.mark.parametrize("path", [*BAD, *BAD_STRUCTURE], ids=stem)
def test_the_schema_refuses_them_too_where_a_schema_can(path: Path, validator: Any) -> None:
    try:
        value = json.loads(path.read_text(), parse_constant=_refuse)
    except ValueError:
        return  # no JSON at all
    if path.stem in BEYOND_A_SCHEMA:
        validator.validate(value)
    else:
        assert not validator.is_valid(value)


def _refuse(name: str) -> float:
    raise ValueError(name)


def test_a_newer_format_is_named_before_anything_else_is_read() -> None:
    with pytest.raises(
        ArchiveError, match="archive format 999 is newer than the 1 that this kit reads; update kit"
    ):
        Manifest.parse('{"format": 999, "signature": "of another kind"}', "it")


def test_the_text_is_canonical() -> None:
    signature = Signature(
        (TensorSpec("größe", "float32", ("n", 3)),),
        (TensorSpec("output", "float32", ("n",)),),
        (Dim("n", 0, 5),),
        Call({"tuple": [{"tensor": 0}]}, {"dict": {}, "keys": []}, {"tensor": 0}, ("größe",)),
    )
    manifest = Manifest(
        "m",
        (Method("forward", signature, 8, {"float32": Tolerance(1e-6, 0.0)}),),
        (ProgramInfo("torchscript", "any", "2.13.0"),),
        (MemberInfo("data.pkl", 1, "0" * 64),),
        {"kit": "0.1.0"},
    )
    text = manifest.to_json()
    assert Manifest.parse(text, "it") == manifest
    assert text.endswith("}\n")
    assert '\n  "cases": {\n    "count": 8\n  },' in text
    assert "größe" in text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert "methods" not in json.loads(text)


def test_every_method_is_found_by_its_name() -> None:
    manifest = Manifest.parse((EXAMPLES / "good/several_methods.json").read_text(), "it")
    assert [method.name for method in manifest.methods] == ["forward", "_decode2", "encode"]
    forward, encode = manifest.method("forward"), manifest.method("encode")
    assert (manifest.signature, manifest.cases) == (forward.signature, forward.cases)
    assert manifest.tolerances == forward.tolerances
    assert [spec.name for spec in encode.signature.inputs] == ["x", "scale", "steps"]
    with pytest.raises(
        UsageError,
        match="the model 'mlp' has no method 'decode'; give one that it has: forward, _decode2, encode",
    ):
        manifest.method("decode")


def test_compiled_programs_say_what_holds_them() -> None:
    manifest = Manifest.parse((EXAMPLES / "good/compiled_programs.json").read_text(), "it")
    torchscript, native, aoti, unverified = manifest.programs
    assert torchscript == ProgramInfo("torchscript", "any", "2.13.0")
    constants = (ConstantInfo("data/0", 0, 96), ConstantInfo("extra/kit/programs/constants.bin", 64, 36))
    library = ProgramMethod("extra/kit/programs/native-x86-64-v3/forward.so", constants)
    assert native == ProgramInfo("native", "x86-64-v3", "2.13.0", True, {"forward": library})
    parts = (replace(constants[0], at=640), replace(constants[1], at=7096))
    package = ProgramMethod("extra/kit/programs/aoti-cuda-sm_90/forward.pt2", parts)
    assert aoti == ProgramInfo("aoti", "cuda:sm_90", "2.13.0", False, {"forward": package})
    assert (unverified.target, unverified.verified) == ("x86-64-v4", False)
    assert manifest.to_dict()["programs"] == json.loads(manifest.to_json())["programs"]
    assert "verified" not in manifest.to_dict()["programs"][0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("program_twice", "the program 'native for x86-64-v3' is listed twice"),
        ("program_constant_not_aligned", "starts at 32, no multiple of 64"),
        ("program_constant_beyond_its_member", "ends beyond 'extra/kit/programs/constants.bin'"),
        ("program_part_within_another", "belongs at 735, within the one before it"),
        ("program_part_beyond_the_package", "belongs at 7097, beyond the end of the package"),
        ("program_part_beyond_its_member", "ends beyond 'data/0'"),
        ("program_method_not_declared", "the method 'encode' of the native program for x86-64-v3 is none of"),
    ],
)
def test_what_is_wrong_with_a_program_is_said(name: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=f"it: bad manifest: .*{message}"):
        Manifest.parse((EXAMPLES / f"bad/{name}.json").read_text(), "it")


def test_what_is_wrong_with_a_method_is_said_with_its_name() -> None:
    text = (EXAMPLES / "bad/method_without_cases.json").read_text()
    with pytest.raises(ArchiveError, match="it: bad manifest: the method 'encode' has no 'cases'; export"):
        Manifest.parse(text, "it")


def test_the_deepest_nest_is_an_error_and_no_crash() -> None:
    text = GOOD[0].read_text().replace('"output": {', '"output": ' + '{"tuple": [' * 5000 + "{", 1)
    with pytest.raises(ArchiveError):
        Manifest.parse(text, "it")
