"""Orders, and the articles of one order in a router of their own."""

from fastapi import APIRouter, HTTPException, status

from app.dependencies import Customer, Order, PageDep, Reader, StorageDep, Writer

router = APIRouter(prefix="/v1/orders", tags=["orders"])
articles = APIRouter(prefix="/{number:int}/articles", tags=["articles"])


@router.get("/")
async def list_orders(storage: StorageDep, page: PageDep, caller: Reader) -> list[Order]:
    every = [order for order in storage.orders.values() if order.customer == caller.subject]
    return every[page.skip : page.skip + page.limit]


@router.post("/", status_code=status.HTTP_201_CREATED)
async def create_order(articles: list[str], storage: StorageDep, caller: Writer) -> Order:
    return storage.add(caller.subject, articles)


@router.get("/{number:int}")
async def read_order(number: int, storage: StorageDep, caller: Reader) -> Order:
    return _own(storage, number, caller.subject)


@articles.get("/")
async def list_articles(number: int, storage: StorageDep, customer: Customer) -> list[str]:
    return _own(storage, number, customer).articles


@articles.get("/{position:int}")
async def read_article(number: int, position: int, storage: StorageDep, customer: Customer) -> str:
    found = _own(storage, number, customer).articles
    if position >= len(found):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such article")
    return found[position]


def _own(storage: StorageDep, number: int, customer: str) -> Order:
    order = storage.orders.get(number)
    if order is None or order.customer != customer:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such order")
    return order


router.include_router(articles)
