"""The sentences of all errors with which a reply can end, by the code that is stored with it.

The errors are below the models, and whoever has this module has all of them: so a stored reply has its sentence in any
process, whatever else that has loaded.
"""

from chatbot.core.errors import sentence_of as sentence_of
from conversations.errors import providers as providers
from conversations.errors import replies as replies
