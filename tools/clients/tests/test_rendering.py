"""What the generated sources look like, whatever the document's texts are."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.clients import python, typescript
from tools.clients.shapes import (
    NOTHING,
    Api,
    Array,
    Field,
    Grown,
    Mapping,
    Model,
    Operation,
    Plain,
    Reference,
    Shape,
    Union,
    Words,
)
from tools.clients.wording import snake

TEXT = Plain("text")


def api(about: str = "", **operation: object) -> Api:
    """One operation and some models, all described by one text."""
    said = {"in_path": (Field("thing_id", TEXT, required=True, about=about),)} | operation
    fields = (
        Field("name", TEXT, required=True, about=about),
        Field("size", Plain("integer"), required=False),
    )
    strange = (Field("violated-policies", Array(TEXT), required=False, about=about),)
    models = (
        Model("Thing", about, fields),
        Model("Strange", about, strange),
        Model("Kind", about, alias=Words(("a", 'b"'))),
        Model("ThingMadeEvent", about, fields),
    )
    change = Operation("changeThing", "PUT", "/v1/things/{thing_id}", about, **said)  # type: ignore[arg-type]
    return Api((change,), models, ("ThingMadeEvent",))


@pytest.mark.parametrize(
    ("shape", "in_python", "in_typescript"),
    [
        (Plain("anything"), "object", "unknown"),
        (Words(("a", "b")), 'Literal["a", "b"]', '"a" | "b"'),
        (Words(("a",), open=True), 'Literal["a"] | str', '"a" | (string & {})'),
        (Reference("Thing"), "models.Thing", "models.Thing"),
        (Grown("Kind"), "models.Kind | str", "models.Kind | (string & {})"),
        (Array(Plain("number")), "list[float]", "number[]"),
        (Array(Union((TEXT, NOTHING))), "list[str | None]", "(string | null)[]"),
        (Array(Grown("Kind")), "list[models.Kind | str]", "(models.Kind | (string & {}))[]"),
        (Mapping(TEXT), "dict[str, str]", "{ [name: string]: string }"),
    ],
)
def test_each_shape_is_written_in_both_languages(shape: Shape, in_python: str, in_typescript: str) -> None:
    assert python.typed(shape, "models.") == in_python
    assert typescript.typed(shape, "models.") == in_typescript


@given(about=st.text() | st.text(alphabet="\"\\*/\n {}'#$`"))
def test_no_text_of_the_document_becomes_code(about: str) -> None:
    plain, told = python.modules(api(), "2026-11-01"), python.modules(api(about), "2026-11-01")
    assert all(_bones(told[name]) == _bones(plain[name]) for name in plain)
    plain, told = typescript.modules(api(), "2026-11-01"), typescript.modules(api(about), "2026-11-01")
    assert all(_uncommented(told[name]) == _uncommented(plain[name]) for name in plain)


def _bones(source: str) -> str:
    """The code without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _uncommented(source: str) -> list[str]:
    return re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL).split()


def test_a_parameter_called_like_a_keyword_keeps_its_name_on_the_wire() -> None:
    source = python.modules(api(in_query=(Field("from", TEXT, required=True),)), "2026-11-01")["client.py"]
    assert "        from_: str,\n" in source
    assert 'in_query={"from": from_}' in source


@pytest.mark.parametrize("language", [python, typescript])
def test_two_parameters_of_one_name_are_refused(language: object) -> None:
    twice = api(in_query=(Field("thing_id", TEXT, required=True),))
    with pytest.raises(ValueError, match="two parameters"):
        language.modules(twice, "2026-11-01")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("createApiKey", "create_api_key"),
        ("listURLs", "list_ur_ls"),
        ("from", "from_"),
        ("venue_id", "venue_id"),
        ("getMFAState", "get_mfa_state"),
    ],
)
def test_methods_of_python_are_snakes(name: str, written: str) -> None:
    assert snake(name) == written
