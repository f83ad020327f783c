-- How many rows a replay from the facts reads, before duplicates are taken out. No parameters.
SELECT (SELECT count() FROM touchpoints) + (SELECT count() FROM conversions) AS facts
