"""The verbs: one module each, a function over a `Repo` that answers with a result."""
