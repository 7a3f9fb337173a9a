"""What every other part stands on: settings, database, errors, pagination, logging."""
