"""The rooms, in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import WebSocket


@dataclass
class Room:
    name: str
    sockets: list[WebSocket] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    async def send(self, message: str) -> None:
        self.messages.append(message)
        for socket in self.sockets:
            await socket.send_text(message)


class Rooms(dict[str, Room]):
    @contextmanager
    def joined(self, name: str, socket: WebSocket) -> Iterator[Room]:
        room = self.setdefault(name, Room(name))
        room.sockets.append(socket)
        try:
            yield room
        finally:
            room.sockets.remove(socket)


rooms = Rooms()
