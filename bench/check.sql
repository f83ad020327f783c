-- What must hold after a run: every conversion once per model, credits that sum to its value, shares that sum to 1.
SELECT
    uniqExact(conversion_id) AS conversions,
    uniqExact(model) AS models,
    count() AS rows,
    countIf(arraySum(`t.value_micros`) != value_micros) AS rows_with_wrong_sum,
    countIf(abs(arraySum(`t.weight`) - 1) > 1e-9) AS rows_with_wrong_weights,
    sum(length(`t.id`)) AS credits,
    (SELECT count() FROM touchpoints FINAL) AS touchpoints
FROM attributions FINAL
