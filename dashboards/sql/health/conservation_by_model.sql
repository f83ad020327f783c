-- Value of the conversions of the period's days, and what the daily sums credit under each model, all currencies added up as they are: the difference must be 0 once no day waits. Reads the journeys.
SELECT
    model,
    toFloat64(credited) / 1e6 AS credited_value,
    toFloat64(value) / 1e6 AS conversions_value,
    credited - value AS difference_micros
FROM
(
    SELECT toString(model) AS model, sum(value_micros) AS credited
    FROM rollup_day
    WHERE run_id = toUInt32(${run:sqlstring}) AND day BETWEEN toDate($__fromTime, 'UTC') AND toDate($__toTime, 'UTC')
    GROUP BY model
) AS sums
CROSS JOIN
(
    SELECT sum(value_micros) AS value
    FROM journeys_in(
        run_id = ${run:sqlstring},
        start = toDate($__fromTime, 'UTC'),
        end = toDate($__toTime, 'UTC'),
        conversion_types = []
    )
) AS conversions
ORDER BY model
