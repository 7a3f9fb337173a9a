"""Assertions that ask a model: each has a file with its prompt, its form and its verdict.

A judged type is a generator. It yields questions, gets what was found, and returns a verdict. It is
run again from its start with what is known by then, until nothing is left to ask.
"""
