-- The base currency of the rates: one, or none while the table is empty. No parameters.
SELECT DISTINCT toString(base) AS base FROM fx_rates
