"""PostgreSQL as the oracle: the same statements on one PostgreSQL and through Shoal."""
