-- Staged journeys by the set of their channels; see training_transitions for replicates.
-- stage; replicates: how many; thresholds: of the Poisson distribution
SELECT
    arraySort(arrayDistinct(CAST(path, 'Array(String)'))) AS channels,
    countIf(converted = 1) AS conversions,
    countIf(converted = 0) AS nulls,
    sumForEachIf(weights, converted = 1) AS replicate_conversions,
    sumForEachIf(weights, converted = 0) AS replicate_nulls
FROM
(
    SELECT
        path,
        converted,
        arrayMap(
            word -> arrayCount(threshold -> word >= threshold, {thresholds:Array(UInt64)}),
            arrayMap(
                word -> bitXor(word, bitShiftRight(word, 31)),
                arrayMap(
                    word -> bitXor(word, bitShiftRight(word, 27)) * toUInt64(10723151780598845931),
                    arrayMap(
                        word -> bitXor(word, bitShiftRight(word, 30)) * toUInt64(13787848793156543929),
                        arrayMap(
                            number -> customer + toUInt64(11400714819323198485) * toUInt64(number + 1),
                            range({replicates:UInt32})
                        )
                    )
                )
            )
        ) AS weights
    FROM {stage:Identifier}
)
GROUP BY channels
