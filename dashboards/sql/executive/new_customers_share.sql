-- Share of conversions that were the first of their customer (of the chosen types, in the whole run). Reads the journeys of the run, not the rollups.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day,
    first_day - (last_day - first_day + 1) AS earlier_day
SELECT
    toDateTime(if(toDate(at) < first_day, earlier_day, first_day), 'UTC') AS time,
    countIf(at = first_at) / count() AS new_customers
FROM
(
    SELECT first_at, arrayJoin(recent) AS at
    FROM
    (
        SELECT
            min(converted_at) AS first_at,
            groupArrayIf(
                converted_at,
                day >= earlier_day
                AND $__conditionalAll(hasAny(channels, [${channel:sqlstring}]), $channel)
                AND $__conditionalAll(hasAny(campaigns, [${campaign:sqlstring}]), $campaign)
            ) AS recent
        FROM journeys_in(
            run_id = ${run:sqlstring},
            start = toDate(0),
            end = last_day,
            conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}])
        )
        GROUP BY customer_id
    )
)
GROUP BY time
ORDER BY time
