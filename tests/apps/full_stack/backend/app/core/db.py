"""The template has SQLModel here. In this app, a session is two dictionaries."""

import uuid
from dataclasses import dataclass, field

from app.models import Item, User


@dataclass
class Session:
    users: dict[uuid.UUID, User] = field(default_factory=dict)
    items: dict[uuid.UUID, Item] = field(default_factory=dict)


engine = Session()
