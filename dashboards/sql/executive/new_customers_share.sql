-- Share of conversions that were the first of their customer (of the chosen types, in the whole run). Reads the journeys of the run, not the rollups.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    toDateTime(if(day < first_day, earlier_day, first_day), 'UTC') AS time,
    countIf(converted_at = first_at) / count() AS new_customers
FROM
(
    SELECT day, customer_id, converted_at
    FROM journeys_in(
        run_id = ${run:sqlstring},
        start = earlier_day,
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    WHERE $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
      AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
) AS recent
INNER JOIN
(
    SELECT customer_id, min(converted_at) AS first_at
    FROM journeys_in(
        run_id = ${run:sqlstring},
        start = toDate(0),
        end = last_day,
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
    )
    GROUP BY customer_id
) AS known USING (customer_id)
GROUP BY time
ORDER BY time
