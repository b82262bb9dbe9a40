"""Sessions in the database, as Django keeps them, read by a ready-made statement: every request reads one."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import connection

SELECT = "SELECT session_data, expire_date FROM django_session WHERE session_key = %s AND expire_date > now()"


class SessionStore(db.SessionStore):
    """Django's database sessions."""

    def _get_session_from_db(self) -> Session | None:
        # The ORM takes longer to write this statement than the database to run it.
        key = self.session_key or ""
        row = None
        # Anything else was made up; some of it the database would refuse with an error.
        if key.isalnum():
            with connection.cursor() as cursor:
                cursor.execute(SELECT, [key])
                row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return None
        return Session(session_key=key, session_data=row[0], expire_date=row[1])
