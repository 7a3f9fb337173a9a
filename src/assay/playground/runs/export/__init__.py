"""Results for other programs: as a table, as lines of JSON, and as JUnit XML."""
