-- The sums by conversion day, from those by touch day: both say the same, whatever was written in between.
-- stage        where to write
-- touch_stage  what rollups_build has written
-- run_id       the run
-- days         those that rollups_build has written
INSERT INTO {stage:Identifier}
SELECT
    run_id,
    day,
    model,
    channel,
    campaign,
    currency,
    conversion_type,
    sumKahan(t.conversions) AS conversions,
    sum(t.value_micros) AS value_micros,
    sum(t.touchpoints) AS touchpoints
FROM {touch_stage:Identifier} AS t
WHERE run_id = {run_id:UInt32} AND day IN {days:Array(Date)}
GROUP BY run_id, day, model, channel, campaign, currency, conversion_type
SETTINGS max_partitions_per_insert_block = 0
