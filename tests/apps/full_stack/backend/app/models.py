import uuid

from pydantic import BaseModel, ConfigDict, Field


class UserBase(BaseModel):
    email: str = Field(max_length=255)
    is_active: bool = True
    is_superuser: bool = False
    full_name: str | None = None


class UserRegister(BaseModel):
    email: str = Field(max_length=255)
    password: str = Field(min_length=8, max_length=128)
    full_name: str | None = None


class UserUpdateMe(BaseModel):
    full_name: str | None = None


class User(UserBase):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    hashed_password: str = ""


class UserPublic(UserBase):
    model_config = ConfigDict(from_attributes=True)
    id: uuid.UUID


class UsersPublic(BaseModel):
    data: list[UserPublic]
    count: int


class ItemCreate(BaseModel):
    title: str = Field(min_length=1, max_length=255)
    description: str | None = None


class Item(ItemCreate):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    owner_id: uuid.UUID


class ItemsPublic(BaseModel):
    data: list[Item]
    count: int


class Message(BaseModel):
    message: str


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


class TokenPayload(BaseModel):
    sub: str
