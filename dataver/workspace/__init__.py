"""The user's files and the pointers beside them."""
