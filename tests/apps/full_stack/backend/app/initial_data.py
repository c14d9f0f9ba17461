from app import crud
from app.core.config import settings
from app.core.db import Session
from app.core.security import get_password_hash


def init_db(session: Session) -> None:
    hashed_password = get_password_hash(settings.FIRST_SUPERUSER_PASSWORD)
    crud.create_user(session, settings.FIRST_SUPERUSER, hashed_password, is_superuser=True)
