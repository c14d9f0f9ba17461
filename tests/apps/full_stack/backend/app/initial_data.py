from app import crud
from app.core.config import settings
from app.core.db import Session
from app.models import UserRegister


def init_db(session: Session) -> None:
    user_in = UserRegister(
        email=settings.FIRST_SUPERUSER, password=settings.FIRST_SUPERUSER_PASSWORD
    )
    crud.create_user(session, user_in, is_superuser=True)
