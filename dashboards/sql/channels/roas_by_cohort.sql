-- Return on the spend of each day, twice: credits of conversions of the day, and credits of touches of the day whenever they converted. The second still grows while its touches can convert.
WITH
    toDate($__fromTime, 'UTC') AS first_day,
    toDate($__toTime, 'UTC') AS last_day
SELECT
    toDateTime(day, 'UTC') AS time,
    toFloat64(sum(v)) / nullIf(toFloat64(sum(s)), 0) AS "By conversion day",
    toFloat64(sum(cohort)) / nullIf(toFloat64(sum(s)), 0) AS "By touch day"
FROM
(
    SELECT day, value_micros AS v, toInt256(0) AS cohort, toInt256(0) AS s
    FROM credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)

    UNION ALL

    SELECT day, toInt256(0), value_micros, toInt256(0)
    FROM touch_credits_in(
        run_id = ${run:sqlstring},
        start = first_day,
        end = last_day,
        models = [${model:sqlstring}],
        conversion_types = if($__conditionalAll(0, $conversion_type), [], [${conversion_type:sqlstring}]),
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)

    UNION ALL

    SELECT day, toInt256(0), toInt256(0), spend_micros
    FROM spend_in(
        start = first_day,
        end = last_day,
        currency = ${currency:sqlstring},
        max_age_days = ${fx_max_age_days:sqlstring}
    )
    WHERE $__conditionalAll(channel IN (${channel:sqlstring}), $channel)
      AND $__conditionalAll(campaign IN (${campaign:sqlstring}), $campaign)
)
GROUP BY time
ORDER BY time
