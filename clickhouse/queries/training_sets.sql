-- Staged journeys by the set of their channels; replicates as in training_transitions.
-- stage
SELECT
    arraySort(arrayDistinct(CAST(path, 'Array(String)'))) AS channels,
    countIf(converted = 1) AS conversions,
    countIf(converted = 0) AS nulls,
    sumForEachIf(weights, converted = 1) AS replicate_conversions,
    sumForEachIf(weights, converted = 0) AS replicate_nulls
FROM {stage:Identifier}
GROUP BY channels
