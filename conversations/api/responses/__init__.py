"""The address of responses: the newer protocol of OpenAI's clients, translated to and from completions."""
