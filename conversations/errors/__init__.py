"""Errors whose text a person may read, wherever something of a conversation is asked for."""
