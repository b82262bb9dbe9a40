"""How often people ask the model."""

from django.conf import settings
from django.db import models


class TurnWindow(models.Model):
    """How often a person has asked the model since `began_at`. Deleting what was said does not change it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField()
    turns = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.turns} turns since {self.began_at}"
