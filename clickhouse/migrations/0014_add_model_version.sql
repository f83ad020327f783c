-- The fit behind data_driven: of each row its version, and the fits themselves.
ALTER TABLE attributions ADD COLUMN IF NOT EXISTS model_version LowCardinality(String) DEFAULT '' AFTER config_hash;

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
    if(model = 'data_driven', fit, '') AS model_version,
    rev,
    emitted_at
FROM
(
    SELECT
        run_id, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency, models, fallbacks,
        `t.id` AS ids, `t.channel` AS path, truncated, config_hash, model_version AS fit, rev, emitted_at
    FROM attributions FINAL
    WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
)
ARRAY JOIN
    models AS model,
    arrayEnumerate(models) AS model_number
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- One row per published fit. parameters are the JSON that was published.
CREATE TABLE IF NOT EXISTS model_fits
(
    version           String,
    effective_from    DateTime64(6, 'UTC'),
    trained_at        DateTime64(6, 'UTC'),
    method            LowCardinality(String),
    status            LowCardinality(String),
    conversions       UInt64,
    nulls             UInt64,
    parameters        String,
    written_at        DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (effective_from, version);
