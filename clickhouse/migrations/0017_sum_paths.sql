-- Daily sums of paths, for reports over paths: built for whole days beside the other sums, see clickhouse/path_sums.py.

-- What a path is: one row per live conversion, as its newest row holds it. A path of 'unattributed' alone is no touch: intake
-- and channel rules refuse a channel of that name. Times are whole seconds, cut; a bucket is under an hour (1), under a day
-- (2), then the whole days + 2, of thirty and more 32; 0 without a touch. Ids are of paths in which equal steps in a row are
-- one. channel_parts: each channel once, with what it is in the path: 1 first touch, 2 last, 4 any but the last, added up; 0
-- without a touch. Filters on run_id, converted_at and day reach the key.
CREATE OR REPLACE VIEW conversion_paths AS
SELECT
    run_id,
    converted_at,
    toDate(converted_at) AS day,
    conversion_type,
    currency,
    value_micros,
    `t.channel` AS channels,
    `t.campaign` AS campaigns,
    if(channels = ['unattributed'], 0, length(channels)) AS touches,
    cityHash64(arrayCompact(channels)) AS channel_path,
    cityHash64(arrayCompact(arrayZip(channels, campaigns))) AS campaign_path,
    toUnixTimestamp64Micro(converted_at) AS at_us,
    toUInt32(intDiv(greatest(at_us - toUnixTimestamp64Micro(`t.at`[1]), 0), 1000000)) AS first_lag_s,
    toUInt32(intDiv(greatest(at_us - toUnixTimestamp64Micro(`t.at`[-1]), 0), 1000000)) AS last_lag_s,
    multiIf(touches = 0, 0, first_lag_s < 3600, 1, least(intDiv(first_lag_s, 86400), 30) + 2) AS first_bucket,
    multiIf(touches = 0, 0, last_lag_s < 3600, 1, least(intDiv(last_lag_s, 86400), 30) + 2) AS last_bucket,
    arrayMap(
        name ->
        (
            name,
            if(touches = 0, 0, (name = channels[1]) + 2 * (name = channels[-1]) + 4 * (indexOf(channels, name) < touches))
        ),
        arrayDistinct(channels)
    ) AS channel_parts
FROM attributions FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- One table for all reports over paths, so that a day changes for all of them in one step. Rows of each kind are sums by type
-- and currency, and by number:
--   channel_path, campaign_path   number: id of the path; channels and campaigns: its steps, all of them, so that an id may have
--                                 several rows; grade: binary logarithm, cut, of the id's conversions on this day
--   length                        number: touches
--   channel                       number: what the only one of channels is in paths, as in channel_parts
--   lag                           number: first_bucket * 100 + last_bucket
--   first_lag, last_lag           number: seconds; grade: first_bucket or last_bucket
-- With small granules a report reads what it needs of a day.
CREATE TABLE IF NOT EXISTS rollup_paths
(
    run_id           UInt32,
    day              Date,
    kind             Enum8('channel_path' = 1, 'campaign_path' = 2, 'length' = 3, 'channel' = 4, 'lag' = 5, 'first_lag' = 6, 'last_lag' = 7),
    grade            UInt8,
    number           UInt64,
    conversion_type  LowCardinality(String),
    currency         LowCardinality(String),
    channels         Array(LowCardinality(String)),
    campaigns        Array(String),
    conversions      UInt64,
    value_micros     Int64,
    touches          UInt64
)
ENGINE = MergeTree
PARTITION BY (run_id, day)
ORDER BY (kind, grade, number)
SETTINGS index_granularity = 1024, old_parts_lifetime = 60;

-- A day of rollup_paths is current while no mark of the day is newer than built_mark. Another format is not read.
CREATE TABLE IF NOT EXISTS path_state
(
    run_id      UInt32,
    day         Date,
    format      UInt16,
    built_mark  DateTime64(6, 'UTC'),
    built_at    DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(built_at)
ORDER BY (run_id, day);
