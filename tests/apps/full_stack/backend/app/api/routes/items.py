import uuid

from fastapi import APIRouter, HTTPException

from app.api.deps import CurrentUser, SessionDep
from app.core.db import Session
from app.models import Item, ItemCreate, ItemsPublic, Message, User

router = APIRouter(prefix="/items", tags=["items"])


@router.get("/")
def read_items(
    session: SessionDep, current_user: CurrentUser, skip: int = 0, limit: int = 100
) -> ItemsPublic:
    items = [
        item
        for item in session.items.values()
        if current_user.is_superuser or item.owner_id == current_user.id
    ]
    return ItemsPublic(data=items[skip : skip + limit], count=len(items))


@router.get("/{id}")
def read_item(session: SessionDep, current_user: CurrentUser, id: uuid.UUID) -> Item:
    return _own_item(session, current_user, id)


@router.post("/")
def create_item(session: SessionDep, current_user: CurrentUser, item_in: ItemCreate) -> Item:
    item = Item(**item_in.model_dump(), owner_id=current_user.id)
    session.items[item.id] = item
    return item


@router.put("/{id}")
def update_item(
    session: SessionDep, current_user: CurrentUser, id: uuid.UUID, item_in: ItemCreate
) -> Item:
    item = _own_item(session, current_user, id)
    item.title, item.description = item_in.title, item_in.description
    return item


@router.delete("/{id}")
def delete_item(session: SessionDep, current_user: CurrentUser, id: uuid.UUID) -> Message:
    del session.items[_own_item(session, current_user, id).id]
    return Message(message="Item deleted successfully")


def _own_item(session: Session, current_user: User, id: uuid.UUID) -> Item:
    item = session.items.get(id)
    if item is None:
        raise HTTPException(status_code=404, detail="Item not found")
    if not current_user.is_superuser and item.owner_id != current_user.id:
        raise HTTPException(status_code=403, detail="Not enough permissions")
    return item
