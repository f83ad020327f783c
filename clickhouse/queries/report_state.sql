-- What a report over rollups stands on: the active run, a number that changes with the exchange rates, one that changes
-- with spend, and the days of the run with a number each that changes when the day is built. Read it before the sums:
-- what is read later is at least as new. No parameters.
WITH (SELECT argMax(run_id, switched_at) FROM active_run) AS active
SELECT
    active AS run_id,
    (SELECT cityHash64(count(), sum(cityHash64(day, currency, version))) FROM fx_rates) AS rates,
    (SELECT cityHash64(count(), sum(cityHash64(event_id, version))) FROM spend) AS spend,
    groupArray(day) AS days,
    groupArray(built) AS builds
FROM
(
    -- of the newest rows, not of all: merges change nothing
    SELECT day, cityHash64(max(built_at), max(built_mark), max(seen_mark)) AS built
    FROM rollup_state
    WHERE run_id = active
    GROUP BY day
)
SETTINGS max_threads = 1
