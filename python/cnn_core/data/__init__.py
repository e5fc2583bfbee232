"""From what users give to rows that can be trained on: checked, encoded, split, weighed, scaled."""
