-- Channels that earned or cost something in the period.
SELECT DISTINCT toString(channel) AS channel
FROM
(
    SELECT channel
    FROM rollup_day
    WHERE run_id = toUInt32(${run:sqlstring})
      AND day BETWEEN toDate($__fromTime, 'UTC') AND toDate($__toTime, 'UTC')

    UNION ALL

    SELECT channel FROM spend_by_day WHERE day BETWEEN toDate($__fromTime, 'UTC') AND toDate($__toTime, 'UTC')
)
ORDER BY channel
