"""The HTTP edge: API, storefront, admin."""
