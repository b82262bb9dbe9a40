"""Replies: how they are made, and streamed while they grow."""
