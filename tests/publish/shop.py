"""The app behind the published edge."""

import os
from typing import Annotated

from fastapi import FastAPI, Security
from fastgate import Caller, Settings, at_edge, fastgate, guard

app = FastAPI(openapi_url=None)


@app.get("/")
@at_edge(access="public")
async def welcome() -> str:
    """Greet anybody."""
    return "hello"


@app.get("/orders/{order_id:int}")
async def read_order(
    order_id: int, caller: Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
) -> dict[str, str | int]:
    """Return an order to a caller who may read orders."""
    return {"order_id": order_id, "reader": caller.subject}


# `fastly compute publish` lets each backend override `Host` with its address.
guard(app, Settings(edge=os.environ["EDGE"], audience="shop", backend_host="origin.example.com"))
