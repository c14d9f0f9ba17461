"""Stored responses of models: what an author declares, and what is a fault."""

import pytest
from fastapi import APIRouter, FastAPI

from fastgate import EdgeCache, Inference, Model, at_edge
from fastgate.compile.policy import CannotCompile, compile_routes
from tests.test_edge_agrees import DECIDE, decisions
from tests.test_edge_cache import policy_of

TENANT = EdgeCache(audience="tenant", ttl=3600, stale_if_error=60)
EMBEDDINGS = Inference(api="openai-embeddings", models={"small": Model()})


def app_with(cache: EdgeCache, **members: object) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post("/v1/embeddings")
    @at_edge(access="authenticated", inference=EMBEDDINGS, cache=cache, **members)  # type: ignore[arg-type]
    async def embeddings() -> None: ...

    return app


def test_the_responses_of_a_model_are_stored_if_the_author_says_so() -> None:
    (route,) = compile_routes(app_with(TENANT))
    assert (route["methods"], route["cache"]) == (["POST"], TENANT.document())


@pytest.mark.skipif(not DECIDE.exists(), reason="cargo build --example decide")
def test_the_edge_accepts_it() -> None:
    apps = [app_with(TENANT), app_with(TENANT, sign_body=True)]
    found = decisions([{"policy": policy_of(app)} for app in apps])
    assert found == [{"faults": []}] * len(apps)


def test_an_inherited_cache_is_not_meant_for_models() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()

    @router.post("/v1/embeddings")
    @at_edge(inference=EMBEDDINGS)
    async def embeddings() -> None: ...

    @router.get("/v1/models")
    async def models() -> None: ...

    app.include_router(at_edge(access="authenticated", cache=TENANT)(router))
    found = {str(route["path"]): "cache" in route for route in compile_routes(app)}
    assert found == {"/v1/embeddings": False, "/v1/models": True}


def test_it_cannot_be_renewed_while_it_is_sent() -> None:
    cache = EdgeCache(audience="tenant", ttl=3600, stale_while_revalidate=60)
    with pytest.raises(CannotCompile) as caught:
        compile_routes(app_with(cache))
    (fault,) = caught.value.faults
    assert "stale_while_revalidate: the edge keeps no request" in fault.what
    assert fault.remedy == "remove stale_while_revalidate, or make ttl longer"


@pytest.mark.parametrize("api", ["openai-responses", "anthropic-messages", "json"])
def test_it_is_a_fault_where_nothing_would_be_stored(api: str) -> None:
    app = FastAPI(openapi_url=None)
    members = {"model": "engine"} if api == "json" else None

    @app.post("/v1/requests")
    @at_edge(
        access="authenticated",
        inference=Inference(api=api, models={"small": Model()}, members=members),
        cache=TENANT,
    )
    async def requests() -> None: ...

    with pytest.raises(CannotCompile) as caught:
        compile_routes(app)
    (fault,) = caught.value.faults
    assert "nothing would be stored" in fault.what
    assert fault.remedy == "remove cache"
