"""Objects by id: the cache, the remotes, and the trees that lie in them."""
