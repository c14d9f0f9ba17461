"""Dependencies on callers in fields of models: FastAPI reads them from the request instead."""

import dataclasses
import re
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import pytest
from fastapi import Body, Depends, FastAPI, Query
from pydantic import BaseModel
from starlette.testclient import TestClient
from typing_extensions import TypedDict

from fastgate import Caller, Identity, any_caller, requires
from fastgate import guard as put_behind_guard
from fastgate.compile.policy import CannotCompile, compile_routes
from tests.edge import Edge

ADMIN = requires(role="admin")


def fault(app: FastAPI) -> str:
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    return str(error.value)


def subject(caller: Annotated[Identity, Depends(ADMIN)]) -> str:
    return caller.subject


Subject = Annotated[str, Depends(subject)]


class _Form(BaseModel):
    author: Subject


class _WithDefault(BaseModel):
    author: str = Depends(subject)


class _OfAnyCaller(BaseModel):
    author: Annotated[Any, Depends(any_caller)]


class _OfRequirement(BaseModel):
    author: Annotated[Any, Depends(ADMIN)]


class _Outer(BaseModel):
    forms: dict[str, list[_Form] | None]


Item = TypeVar("Item")


class _Page(BaseModel, Generic[Item]):
    items: list[Item]


class _Typed(TypedDict):
    author: Subject


class _Named(NamedTuple):
    author: Subject


@dataclasses.dataclass
class _Data:
    author: Subject
    title: str = ""


@dataclasses.dataclass
class _DataWithDefault:
    author: str = Depends(subject)


MODELS = [
    *(_Form, _WithDefault, _OfAnyCaller, _OfRequirement, _Outer, _Page[_Form], _Typed, _Data),
    *(_DataWithDefault, list[_Form], _Form | None, Annotated[_Form, Body(embed=True)]),
    *(Annotated[_Form, Query()], Annotated[_Named, Body()]),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_dependency_in_the_field_of_a_model_is_a_fault(model: Any, edge: Edge) -> None:  # noqa: ANN401
    async def write(caller: Caller, form: Any) -> None: ...  # noqa: ANN401

    write.__annotations__["form"] = model
    app = FastAPI(openapi_url=None)
    app.post("/x", dependencies=[Depends(ADMIN)])(write)
    said = fault(app)
    assert re.search(r"reads the field author of \w+ from the request", said)
    assert "as a parameter: author: Annotated[…, Depends(" in said
    put_behind_guard(app, edge.settings())
    with pytest.raises(CannotCompile, match="reads the field author"), TestClient(app):
        pass


def test_the_field_of_a_model_for_a_dependency_is_a_fault() -> None:
    async def read(form: _Form) -> None: ...

    app = FastAPI(openapi_url=None)
    app.post("/x", dependencies=[Depends(read), Depends(ADMIN)])(lambda: "in")
    assert "reads the field author of _Form" in fault(app)
    assert "Depends(subject)" in fault(app)


class _Plain(BaseModel):
    """A model that refers to itself, and to a dependency that requires no caller."""

    page: Annotated[int, Depends(lambda: 1)] = 1
    inner: "_Plain | None" = None


def test_other_fields_and_models_in_responses_are_no_faults() -> None:
    async def write(caller: Caller, plain: _Plain) -> _Form:
        return _Form(author=caller.subject)

    app = FastAPI(openapi_url=None)
    app.post("/x")(write)
    compile_routes(app)
