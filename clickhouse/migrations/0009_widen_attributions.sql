-- attributions: one row per conversion with all of its models, instead of one per model, so that the touches are
-- written once. The old table first loses its name: a worker of the old version is refused from then on, instead of
-- writing what would be lost. Until the rows are copied the views credits and conversions_attributed answer with an
-- error; those over daily sums are served all the time. The views keep their columns.

-- only if: SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'attributions' AND name = 'model'
RENAME TABLE attributions TO attributions_by_model;

-- t.weights and t.value_micros: for each touch a list over models. fallbacks runs over models as well, or is empty when
-- no other model stood in. The row with the highest rev wins; is_deleted = 1 removes. Reads without FINAL are wrong.
-- The key is built for days (rollups, reports); a customer's rows are found by the bloom filter.
CREATE TABLE IF NOT EXISTS attributions
(
    run_id           UInt32,
    conversion_id    String,
    customer_id      String,
    conversion_type  LowCardinality(String),
    converted_at     DateTime64(6, 'UTC'),
    value_micros     Int64,
    currency         LowCardinality(String),
    models           Array(LowCardinality(String)),
    fallbacks        Array(LowCardinality(String)),
    `t.id`           Array(String),
    `t.at`           Array(DateTime64(6, 'UTC')),
    `t.channel`      Array(LowCardinality(String)),
    `t.campaign`     Array(String),
    `t.weights`      Array(Array(Float64)),
    `t.value_micros` Array(Array(Int64)),
    truncated        UInt8 DEFAULT 0,
    config_hash      LowCardinality(String),
    rev              UInt64,
    is_deleted       UInt8 DEFAULT 0,
    emitted_at       DateTime64(3, 'UTC'),
    INDEX customer_id_bloom customer_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(rev, is_deleted)
PARTITION BY (run_id, toYYYYMM(converted_at))
ORDER BY (run_id, toDate(converted_at), conversion_id);

-- Of the rows of one conversion those with the highest rev count, deletions too: they must outlive what is replayed.
-- only if: SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'attributions_by_model'
INSERT INTO attributions
    (run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models, fallbacks,
     `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weights`, `t.value_micros`,
     truncated, config_hash, rev, is_deleted, emitted_at)
WITH arrayMap(name -> arrayFirst(row -> row.1 = name, newest_rows), names) AS by_model
SELECT
    run_id, conversion_id, newest.1, newest.2, newest.3, newest.4, newest.5,
    names,
    if(arrayExists(row -> row.2 != '', by_model), arrayMap(row -> row.2, by_model), []),
    newest.6, newest.7, newest.8, newest.9,
    arrayMap(touch -> arrayMap(row -> row.3[touch], by_model), arrayEnumerate(newest.6)),
    arrayMap(touch -> arrayMap(row -> row.4[touch], by_model), arrayEnumerate(newest.6)),
    newest.10, newest.11, newest_rev, newest.12, newest.13
FROM
(
    SELECT
        run_id,
        conversion_id,
        max(rev) AS newest_rev,
        argMax(
            (customer_id, conversion_type, converted_at, value_micros, currency, `t.id`, `t.at`, `t.channel`,
             `t.campaign`, truncated, config_hash, is_deleted, emitted_at),
            rev
        ) AS newest,
        arrayFilter(
            row -> row.5 = newest_rev,
            groupArray((toString(model), toString(fallback), `t.weight`, `t.value_micros`, rev))
        ) AS newest_rows,
        arraySort(arrayDistinct(arrayMap(row -> row.1, newest_rows))) AS names
    FROM attributions_by_model
    GROUP BY run_id, toDate(converted_at), conversion_id
)
SETTINGS max_bytes_before_external_group_by = 1000000000, max_partitions_per_insert_block = 0;

CREATE OR REPLACE VIEW credits AS
SELECT
    run_id,
    model,
    conversion_id,
    customer_id,
    conversion_type,
    converted_at,
    currency,
    position,
    touchpoint_id,
    touched_at,
    channel,
    campaign,
    weight,
    credit_micros AS value_micros,
    rev
FROM
(
    SELECT
        run_id, conversion_id, customer_id, conversion_type, converted_at, currency, rev, models,
        position, touchpoint_id, touched_at, channel, campaign, touch_weights, touch_micros
    FROM
    (
        SELECT
            run_id, conversion_id, customer_id, conversion_type, converted_at, currency, rev, models,
            `t.id` AS ids, `t.at` AS ats, `t.channel` AS channels, `t.campaign` AS campaigns,
            `t.weights` AS weights, `t.value_micros` AS micros
        FROM attributions FINAL
        WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
    )
    ARRAY JOIN
        arrayEnumerate(ids) AS position,
        ids AS touchpoint_id,
        ats AS touched_at,
        channels AS channel,
        campaigns AS campaign,
        weights AS touch_weights,
        micros AS touch_micros
)
ARRAY JOIN
    models AS model,
    touch_weights AS weight,
    touch_micros AS credit_micros
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- touchpoints counts the credited touches: 0 for a conversion that no touch can claim.
CREATE OR REPLACE VIEW conversions_attributed AS
SELECT
    run_id,
    model,
    conversion_id,
    customer_id,
    conversion_type,
    converted_at,
    value_micros,
    currency,
    path,
    if(path = ['unattributed'] AND ids = [''], 0, length(ids)) AS touchpoints,
    fallbacks[model_number] AS fallback,
    truncated,
    config_hash,
    rev,
    emitted_at
FROM
(
    SELECT
        run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models, fallbacks,
        `t.id` AS ids, `t.channel` AS path, truncated, config_hash, rev, emitted_at
    FROM attributions FINAL
    WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
)
ARRAY JOIN
    models AS model,
    arrayEnumerate(models) AS model_number
SETTINGS do_not_merge_across_partitions_select_final = 1;

DROP TABLE IF EXISTS attributions_by_model SYNC;
