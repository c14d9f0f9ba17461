"""What several routers need."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Query, Security
from fastgate import Caller, Identity, fastgate

Reader = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
Writer = Annotated[Caller, Security(fastgate, scopes=["orders:read", "orders:write"])]


@dataclass
class Order:
    number: int
    customer: str
    articles: list[str]


@dataclass
class Storage:
    orders: dict[int, Order] = field(default_factory=dict)

    def add(self, customer: str, articles: list[str]) -> Order:
        order = Order(len(self.orders) + 1, customer, articles)
        self.orders[order.number] = order
        return order


@dataclass
class Page:
    skip: int
    limit: int


_storage = Storage()
_storage.add("ada", ["pencil", "paper"])
_storage.add("bob", ["ink"])


def get_storage() -> Storage:
    return _storage


def get_page(
    skip: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Page:
    return Page(skip, limit)


def get_customer(caller: Caller) -> str:
    return _name_of(caller)


def _name_of(caller: Identity) -> str:
    return caller.subject


StorageDep = Annotated[Storage, Depends(get_storage)]
PageDep = Annotated[Page, Depends(get_page)]
Customer = Annotated[str, Depends(get_customer)]
