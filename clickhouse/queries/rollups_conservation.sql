-- What the models' sums of a day differ from one another, over all days of the active run: each model divides the same
-- values, so 0. Models that hold other conversions of the day, since they came later to the run, are not compared.
SELECT sum(spread) AS error_micros
FROM
(
    SELECT max(total) - min(total) AS spread
    FROM
    (
        SELECT day, currency, conversion_type, model, sum(value_micros) AS total, round(sum(conversions), 3) AS held
        FROM rollup_day
        WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
        GROUP BY day, currency, conversion_type, model
    )
    GROUP BY day, currency, conversion_type, held
)
SETTINGS max_threads = 1
