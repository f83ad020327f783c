-- Keyed digests of all ids that must not come back. No parameters.
SELECT DISTINCT digest FROM suppressions
