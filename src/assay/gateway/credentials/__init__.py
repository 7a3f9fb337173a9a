"""Keys and addresses of providers that are kept in the database, the keys sealed."""
