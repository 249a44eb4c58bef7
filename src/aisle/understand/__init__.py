"""From a shopper's words to a query: language, spelling, limits, attributes, filters."""
