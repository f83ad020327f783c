-- Sums of one day by path. One thread: a build is in no hurry.
-- stage         where to write
-- run_id        the run
-- day           the day
-- by_campaign   1: a step is a channel with its campaign; 0: a channel
INSERT INTO {stage:Identifier}
    (run_id, day, kind, grade, number, conversion_type, currency, channels, campaigns, conversions, value_micros, touches)
SELECT
    {run_id:UInt32},
    {day:Date},
    if({by_campaign:UInt8} = 1, 'campaign_path', 'channel_path'),
    toUInt8(floor(log2(sum(n) OVER (PARTITION BY path)))),
    path,
    of_type,
    own,
    path_channels,
    path_campaigns,
    n,
    amount,
    all_touches
FROM
(
    SELECT
        if({by_campaign:UInt8} = 1, campaign_path, channel_path) AS path,
        conversion_type AS of_type,
        currency AS own,
        if({by_campaign:UInt8} = 1, cityHash64(channels, campaigns), cityHash64(channels)) AS steps,
        any(channels) AS path_channels,
        if({by_campaign:UInt8} = 1, any(campaigns), []) AS path_campaigns,
        count() AS n,
        sum(value_micros) AS amount,
        sum(touches) AS all_touches
    FROM conversion_paths
    WHERE run_id = {run_id:UInt32} AND day = {day:Date}
      AND converted_at >= toDateTime64({day:Date}, 6, 'UTC')
      AND converted_at < toDateTime64({day:Date}, 6, 'UTC') + INTERVAL 1 DAY
    GROUP BY path, steps, of_type, own
)
SETTINGS max_threads = 1, max_bytes_before_external_group_by = 1000000000, max_bytes_before_external_sort = 1000000000
