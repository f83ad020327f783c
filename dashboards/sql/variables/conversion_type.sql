-- Types that were converted to in the period.
SELECT DISTINCT toString(conversion_type) AS conversion_type
FROM rollup_day
WHERE run_id = toUInt32(${run:sqlstring})
  AND day BETWEEN toDate($__fromTime, 'UTC') AND toDate($__toTime, 'UTC')
ORDER BY conversion_type
