"""Golden runs: small fits whose bits are recorded, so that a rewrite that changes one is noticed.

`runs` has all of them: `paths` those of each path through the native core, `options` those of each
activation, loss, optimizer and so on, `continuing` those that go on from an earlier fit,
`scikit_learn` those of scikit-learn's estimators. `data` makes their rows, `results` says what is
looked at after each, `record` writes the SHA-256 hashes of it into `hashes.json`, and
`tests/test_golden.py` repeats every run on every instruction set of the machine and compares.

Each run has five hashes: parameters; optimizer (slots, numbers, counts); history (losses, metrics,
learning rates, categories of warnings, never seconds); predictions (outputs, classes,
probabilities, one row alone, score, evaluate); gradient (the gradient of the loss, a trace).

The hashes are the same on every machine: nothing that goes into them passes through libm or a BLAS,
or through a random stream but NumPy's uniform doubles and the permutations of its RandomState.
"""
