"""Objects between the cache and a remote: what is wanted, packed up, sent, fetched and verified."""
