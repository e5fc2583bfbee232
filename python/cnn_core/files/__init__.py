"""Model files.

`estimators` has `save` and `load`, `schema` says what a model consists of, `codecs` and `values`
how each part is written and checked, `container` makes bytes of them, `atomic` writes the file.
"""
