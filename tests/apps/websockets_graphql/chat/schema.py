"""The GraphQL schema."""

import asyncio
from collections.abc import AsyncIterator

import strawberry
from fastgate import AnyCaller
from strawberry.types import Info

from chat.rooms import rooms


@strawberry.type
class RoomType:
    name: str
    messages: list[str]


@strawberry.type
class Query:
    @strawberry.field
    def rooms(self) -> list[RoomType]:
        return [RoomType(name=room.name, messages=room.messages) for room in rooms.values()]

    @strawberry.field
    def me(self, info: Info) -> str:
        return str(info.context["subject"])


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, up_to: int) -> AsyncIterator[int]:
        for number in range(up_to):
            yield number
            await asyncio.sleep(0)


async def get_context(caller: AnyCaller) -> dict[str, str | None]:
    return {"subject": None if caller is None else caller.subject}


schema = strawberry.Schema(Query, subscription=Subscription)
