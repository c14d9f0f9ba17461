from app.core.db import Session
from app.core.security import get_password_hash, verify_password
from app.models import User, UserRegister


def create_user(session: Session, user_in: UserRegister, **more: bool) -> User:
    hashed_password = get_password_hash(user_in.password)
    user = User(
        email=user_in.email, full_name=user_in.full_name, hashed_password=hashed_password, **more
    )
    session.users[user.id] = user
    return user


def get_user_by_email(session: Session, email: str) -> User | None:
    return next((user for user in session.users.values() if user.email == email), None)


def authenticate(session: Session, email: str, password: str) -> User | None:
    user = get_user_by_email(session, email)
    if user is None or not verify_password(password, user.hashed_password):
        return None
    return user
