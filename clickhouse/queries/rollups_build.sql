-- The sums of some days of one run by the day of the touch, from the newest rows of each conversion.
-- A touch with no weight under a model is on the path but earned nothing, so it is not counted.
-- touch_stage  where to write
-- run_id       the run
-- days         the days to build
-- first, last  the smallest and largest of them: they let whole partitions be skipped
INSERT INTO {touch_stage:Identifier}
SELECT
    run_id,
    day,
    if(touchpoint_id = '', day, toDate(touched_at)) AS touch_day,
    model,
    channel,
    campaign,
    currency,
    conversion_type,
    sumKahan(weight) AS conversions,
    sum(micros) AS value_micros,
    countIf(weight != 0 AND touchpoint_id != '') AS touchpoints
FROM
(
    SELECT
        run_id, toDate(converted_at) AS day, model, currency, conversion_type,
        `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
        `t.weight` AS weights, `t.value_micros` AS values
    FROM attributions FINAL
    WHERE run_id = {run_id:UInt32}
      AND converted_at >= toDateTime64({first:Date}, 6, 'UTC')
      AND converted_at < toDateTime64({last:Date}, 6, 'UTC') + INTERVAL 1 DAY
      AND toDate(converted_at) IN {days:Array(Date)}
)
ARRAY JOIN
    ids AS touchpoint_id, ats AS touched_at, channels AS channel, campaigns AS campaign, weights AS weight,
    values AS micros
GROUP BY run_id, day, touch_day, model, channel, campaign, currency, conversion_type
SETTINGS do_not_merge_across_partitions_select_final = 1, max_partitions_per_insert_block = 0
