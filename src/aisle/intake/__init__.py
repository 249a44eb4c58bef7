"""Files and JSON objects become values: row by row, with a reason for every row that is refused."""
