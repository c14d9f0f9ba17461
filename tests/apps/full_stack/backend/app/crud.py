from app.core.db import Session
from app.core.security import verify_password
from app.models import User


def create_user(session: Session, email: str, hashed_password: str = "", **more: object) -> User:
    user = User.model_validate({"email": email, "hashed_password": hashed_password, **more})
    session.users[user.id] = user
    return user


def get_user_by_email(session: Session, email: str) -> User | None:
    return next((user for user in session.users.values() if user.email == email), None)


def authenticate(session: Session, email: str, password: str) -> User | None:
    user = get_user_by_email(session, email)
    if user is None or not verify_password(password, user.hashed_password):
        return None
    return user
