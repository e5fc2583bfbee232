"""From real tables, with words, dates and gaps, to what a network reads: `columns` of MLP."""
