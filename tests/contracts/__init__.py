"""What the site relies on in packages that promise it to nobody: one test for each thing, and its failure says in words
what an upgrade has changed, and which module of ours has to follow.
"""
