import uuid

from fastapi import APIRouter, Depends, HTTPException

from app import crud
from app.api.deps import CurrentUser, SessionDep, get_current_active_superuser
from app.core.security import get_password_hash
from app.models import User, UserPublic, UserRegister, UsersPublic, UserUpdateMe

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/", dependencies=[Depends(get_current_active_superuser)])
def read_users(session: SessionDep, skip: int = 0, limit: int = 100) -> UsersPublic:
    users = [UserPublic.model_validate(user) for user in session.users.values()]
    return UsersPublic(data=users[skip : skip + limit], count=len(users))


@router.get("/me", response_model=UserPublic)
def read_user_me(current_user: CurrentUser) -> User:
    return current_user


@router.patch("/me", response_model=UserPublic)
def update_user_me(user_in: UserUpdateMe, current_user: CurrentUser) -> User:
    current_user.full_name = user_in.full_name
    return current_user


@router.post("/signup", response_model=UserPublic)
def register_user(session: SessionDep, user_in: UserRegister) -> User:
    if crud.get_user_by_email(session, user_in.email) is not None:
        raise HTTPException(status_code=400, detail="The user with this email already exists")
    hashed_password = get_password_hash(user_in.password)
    return crud.create_user(session, user_in.email, hashed_password, full_name=user_in.full_name)


@router.get("/{user_id}", response_model=UserPublic)
def read_user_by_id(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> User:
    user = session.users.get(user_id)
    if user is not None and user.id == current_user.id:
        return user
    if not current_user.is_superuser:
        raise HTTPException(status_code=403, detail="The user doesn't have enough privileges")
    if user is None:
        raise HTTPException(status_code=404, detail="User not found")
    return user
