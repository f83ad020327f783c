-- Rollups read a minute of a day instead of the day: the minute becomes part of the key of attributions, and a mark may
-- name the minute that changed. As in 0009 the old table first loses its name, and the views of single credits are
-- incomplete until its rows are copied.

-- only if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'attributions' AND NOT sorting_key LIKE '%intDiv%'
RENAME TABLE attributions TO attributions_by_day;

-- intDiv of microseconds and not toStartOfMinute: that one ends in 2106, and begins again.
-- only if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'attributions_by_day'
CREATE TABLE IF NOT EXISTS attributions AS attributions_by_day
ENGINE = ReplacingMergeTree(rev, is_deleted)
PARTITION BY (run_id, toYYYYMM(converted_at))
ORDER BY (run_id, toDate(converted_at), intDiv(toUnixTimestamp64Micro(converted_at), 60000000), conversion_id);

-- Of two times on one day, which had one key until now, the row with the highest rev counts. Deletions are kept: they
-- must outlive what is replayed.
-- only if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'attributions_by_day'
INSERT INTO attributions
SELECT * FROM attributions_by_day
WHERE (run_id, toDate(converted_at), conversion_id, rev) IN
(
    SELECT run_id, toDate(converted_at), conversion_id, max(rev)
    FROM attributions_by_day
    GROUP BY run_id, toDate(converted_at), conversion_id
)
SETTINGS max_bytes_before_external_group_by = 1000000000, max_partitions_per_insert_block = 0;

DROP TABLE IF EXISTS attributions_by_day SYNC;

-- unit: 0 is the whole day, n its n-th minute.
ALTER TABLE dirty_days ADD COLUMN IF NOT EXISTS unit UInt16 AFTER day, MODIFY ORDER BY (run_id, day, unit);

-- Marks up to built_mark are in the day for certain; up to seen_mark those that were visible when it was built.
ALTER TABLE rollup_state ADD COLUMN IF NOT EXISTS seen_mark DateTime64(6, 'UTC') DEFAULT built_mark AFTER built_mark;

-- A day of the rollups is a few thousand rows of all models: with small granules a report reads those of its model.
-- A hot day is swapped several times a second: what was swapped out is removed soon. A setting of granules cannot be
-- altered, so both are made anew; what they held comes back by the roller.
CREATE OR REPLACE TABLE rollup_day
(
    run_id           UInt32,
    day              Date,
    model            LowCardinality(String),
    channel          LowCardinality(String),
    campaign         String,
    currency         LowCardinality(String),
    conversion_type  LowCardinality(String),
    conversions      Float64,
    value_micros     Int64,
    touchpoints      UInt64
)
ENGINE = MergeTree
PARTITION BY (run_id, day)
ORDER BY (model, channel, campaign, currency, conversion_type)
SETTINGS index_granularity = 256, old_parts_lifetime = 20;

CREATE OR REPLACE TABLE rollup_touch_day
(
    run_id           UInt32,
    day              Date,
    touch_day        Date,
    model            LowCardinality(String),
    channel          LowCardinality(String),
    campaign         String,
    currency         LowCardinality(String),
    conversion_type  LowCardinality(String),
    conversions      Float64,
    value_micros     Int64,
    touchpoints      UInt64
)
ENGINE = MergeTree
PARTITION BY (run_id, day)
ORDER BY (model, touch_day, channel, campaign, currency, conversion_type)
SETTINGS index_granularity = 256, old_parts_lifetime = 20;

INSERT INTO dirty_days (run_id, day) SELECT DISTINCT run_id, day FROM rollup_state;
