-- The sums of some minutes of one day by slot and day of the touch, from the newest rows of each conversion. A slot is a
-- minute, or half an hour before fine_from: 10000 + its number.
-- A touch is read once and summed for all models at once; then models are taken apart.
-- A touch with no weight under a model is on the path but earned nothing, so it is not counted.
-- run_id        the run
-- day           the day
-- units         minutes of the day, from 1
-- first, last   the smallest and largest of them, in minutes since the epoch: the range of the key that is read
-- fine_from     the first minute of the day that is a slot by itself
-- has_touch     0: touch_day is 0 in every row, and the rows are as many times fewer
SELECT
    slot,
    touch_day,
    toString(m) AS model,
    toString(ch) AS channel,
    campaign,
    toString(cur) AS currency,
    toString(kind) AS conversion_type,
    sumKahan(model_weight) AS conversions,
    sum(model_micros) AS value_micros,
    sum(model_touches) AS touchpoints
FROM
(
    SELECT
        slot,
        if({has_touch:UInt8}, toInt32(if(touchpoint_id = '', {day:Date}, toDate(touched_at))), 0) AS touch_day,
        models,
        ch,
        campaign,
        cur,
        kind,
        sumKahanForEach(weights) AS all_weights,
        sumForEach(micros) AS all_micros,
        sumForEach(arrayMap(weight -> toUInt64(weight != 0 AND touchpoint_id != ''), weights)) AS all_touches
    FROM
    (
        SELECT
            toUInt16(intDiv(toUnixTimestamp64Micro(converted_at), 60000000) % 1440 + 1) AS unit,
            if(unit < {fine_from:UInt16}, 10000 + intDiv(unit - 1, 30), unit) AS slot,
            models, currency AS cur, conversion_type AS kind,
            `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
            `t.weights` AS touch_weights, `t.value_micros` AS touch_micros
        FROM attributions FINAL
        WHERE run_id = {run_id:UInt32}
          AND toDate(converted_at) = {day:Date}
          AND intDiv(toUnixTimestamp64Micro(converted_at), 60000000) BETWEEN {first:Int64} AND {last:Int64}
          AND converted_at >= fromUnixTimestamp64Micro({first:Int64} * 60000000, 'UTC')
          AND converted_at < fromUnixTimestamp64Micro(({last:Int64} + 1) * 60000000, 'UTC')
          AND has({units:Array(UInt16)}, unit)
    )
    ARRAY JOIN
        ids AS touchpoint_id, ats AS touched_at, channels AS ch, campaigns AS campaign,
        touch_weights AS weights, touch_micros AS micros
    GROUP BY slot, touch_day, models, ch, campaign, cur, kind
)
ARRAY JOIN
    models AS m, all_weights AS model_weight, all_micros AS model_micros, all_touches AS model_touches
GROUP BY slot, touch_day, m, ch, campaign, cur, kind
ORDER BY slot
SETTINGS do_not_merge_across_partitions_select_final = 1, output_format_arrow_low_cardinality_as_dictionary = 0
