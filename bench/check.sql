-- What must hold after a run: every conversion once per model, credits that sum to its value, shares that sum to 1.
-- A row is a conversion under one model.
SELECT
    uniqExact(conversion_id) AS conversions,
    uniqExact(model) AS models,
    count() AS rows,
    countIf(arraySum(touch -> touch[n], all_micros) != value) AS rows_with_wrong_sum,
    countIf(abs(arraySum(touch -> touch[n], all_weights) - 1) > 1e-9) AS rows_with_wrong_weights,
    sum(length(all_micros)) AS credits,
    (SELECT count() FROM touchpoints FINAL) AS touchpoints,
    (SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'touchpoints') AS touchpoint_bytes,
    (SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'attributions') AS attribution_bytes
FROM
(
    SELECT conversion_id, value_micros AS value, models AS names, `t.weights` AS all_weights, `t.value_micros` AS all_micros
    FROM attributions FINAL
)
ARRAY JOIN names AS model, arrayEnumerate(names) AS n
