"""Why a hit is shown."""
