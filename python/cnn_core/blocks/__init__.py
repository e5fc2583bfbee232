"""Rows that come in blocks, from tables larger than memory.

`source` takes what users give, `gather` reads it for the first time, `learn` learns from it what
the model needs, `windows` brings the rows to the trainer.
"""
