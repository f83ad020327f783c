-- The sums of some days of one run by the day of the touch, from the newest rows of each conversion.
-- A touch is read once and summed for all models at once; then models are taken apart.
-- A touch with no weight under a model is on the path but earned nothing, so it is not counted.
-- touch_stage  where to write
-- run_id       the run
-- days         the days to build
-- first, last  the smallest and largest of them: they let whole partitions be skipped
INSERT INTO {touch_stage:Identifier}
SELECT
    {run_id:UInt32} AS run_id,
    day,
    touch_day,
    model,
    channel,
    campaign,
    currency,
    conversion_type,
    sumKahan(model_weight) AS conversions,
    sum(model_micros) AS value_micros,
    sum(model_touches) AS touchpoints
FROM
(
    SELECT
        day,
        if(touchpoint_id = '', day, toDate(touched_at)) AS touch_day,
        models,
        channel,
        campaign,
        currency,
        conversion_type,
        sumKahanForEach(weights) AS all_weights,
        sumForEach(micros) AS all_micros,
        sumForEach(arrayMap(weight -> toUInt64(weight != 0 AND touchpoint_id != ''), weights)) AS all_touches
    FROM
    (
        SELECT
            toDate(converted_at) AS day, models, currency, conversion_type,
            `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
            `t.weights` AS touch_weights, `t.value_micros` AS touch_micros
        FROM attributions FINAL
        WHERE run_id = {run_id:UInt32}
          AND converted_at >= toDateTime64({first:Date}, 6, 'UTC')
          AND converted_at < toDateTime64({last:Date}, 6, 'UTC') + INTERVAL 1 DAY
          AND toDate(converted_at) IN {days:Array(Date)}
    )
    ARRAY JOIN
        ids AS touchpoint_id, ats AS touched_at, channels AS channel, campaigns AS campaign,
        touch_weights AS weights, touch_micros AS micros
    GROUP BY day, touch_day, models, channel, campaign, currency, conversion_type
)
ARRAY JOIN
    models AS model, all_weights AS model_weight, all_micros AS model_micros, all_touches AS model_touches
GROUP BY day, touch_day, model, channel, campaign, currency, conversion_type
SETTINGS do_not_merge_across_partitions_select_final = 1, max_partitions_per_insert_block = 0
