"""Fitted nets of other libraries become ours, and ours theirs: `from_sklearn` and `to_sklearn`,
`from_torch` and `to_torch`. Those libraries are imported when one of these is called."""
