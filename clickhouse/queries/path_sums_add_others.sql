-- Sums of one day by number of touches, by channel, and by time from touches. One thread: a build is in no hurry.
-- stage    where to write
-- run_id   the run
-- day      the day
INSERT INTO {stage:Identifier}
    (run_id, day, kind, grade, number, conversion_type, currency, channels, conversions, value_micros, touches)
SELECT {run_id:UInt32}, {day:Date}, kind, grade, number, of_type, own, names, n, amount, all_touches
FROM
(
    SELECT
        'length' AS kind, 0 AS grade, toUInt64(touches) AS number, conversion_type AS of_type, currency AS own,
        emptyArrayString() AS names, count() AS n, sum(value_micros) AS amount, sum(touches) AS all_touches
    FROM conversion_paths
    WHERE run_id = {run_id:UInt32} AND day = {day:Date}
      AND converted_at >= toDateTime64({day:Date}, 6, 'UTC')
      AND converted_at < toDateTime64({day:Date}, 6, 'UTC') + INTERVAL 1 DAY
    GROUP BY touches, of_type, own

    UNION ALL

    SELECT
        'lag', 0, toUInt64(first_bucket * 100 + last_bucket) AS number, conversion_type AS of_type, currency AS own,
        emptyArrayString(), count(), sum(value_micros), sum(touches)
    FROM conversion_paths
    WHERE run_id = {run_id:UInt32} AND day = {day:Date}
      AND converted_at >= toDateTime64({day:Date}, 6, 'UTC')
      AND converted_at < toDateTime64({day:Date}, 6, 'UTC') + INTERVAL 1 DAY
    GROUP BY number, of_type, own

    UNION ALL

    SELECT
        lag.1 AS kind, lag.2 AS grade, toUInt64(lag.3) AS number, conversion_type AS of_type, currency AS own,
        emptyArrayString(), count(), toInt64(0), toUInt64(0)
    FROM conversion_paths
    ARRAY JOIN [('first_lag', first_bucket, first_lag_s), ('last_lag', last_bucket, last_lag_s)] AS lag
    WHERE run_id = {run_id:UInt32} AND day = {day:Date}
      AND converted_at >= toDateTime64({day:Date}, 6, 'UTC')
      AND converted_at < toDateTime64({day:Date}, 6, 'UTC') + INTERVAL 1 DAY
      AND touches > 0
    GROUP BY kind, grade, number, of_type, own

    UNION ALL

    SELECT
        'channel', 0, toUInt64(part.2) AS number, conversion_type AS of_type, currency AS own,
        [toString(part.1)] AS names, count(), sum(value_micros), sum(touches)
    FROM conversion_paths
    ARRAY JOIN channel_parts AS part
    WHERE run_id = {run_id:UInt32} AND day = {day:Date}
      AND converted_at >= toDateTime64({day:Date}, 6, 'UTC')
      AND converted_at < toDateTime64({day:Date}, 6, 'UTC') + INTERVAL 1 DAY
    GROUP BY part, number, of_type, own
)
SETTINGS max_threads = 1, max_bytes_before_external_group_by = 1000000000
