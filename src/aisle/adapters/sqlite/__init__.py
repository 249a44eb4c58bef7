"""The stores of a shop in one SQLite file: `Database` owns it, the stores share it."""
