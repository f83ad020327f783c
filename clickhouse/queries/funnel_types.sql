-- Types of live conversions that the active run has sums of. No parameters.
SELECT DISTINCT toString(conversion_type) AS of_type FROM credits_by_day SETTINGS max_threads = 1
