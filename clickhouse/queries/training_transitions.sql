-- Transitions of the staged journeys: from a state (the channels of the last touches, '' before the first one) to the
-- channel of the next touch, or to how the journey ended. replicates are the same counts with each customer taken as often
-- as a Poisson(1) number says, which is a hash of the customer and the number of the replicate.
-- stage; depth: touches in a state, 1 to 3; replicates: how many; thresholds: of the Poisson distribution
WITH
    arrayConcat(arrayResize([''], {depth:UInt8}, ''), path) AS padded
SELECT
    arraySlice(padded, position, {depth:UInt8}) AS state,
    if(position > length(path), if(converted, 'conversion', 'null'), 'channel') AS kind,
    if(position > length(path), '', path[position]) AS next,
    count() AS journeys,
    sumForEach(weights) AS replicates
FROM
(
    SELECT
        CAST(path, 'Array(String)') AS path,
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
ARRAY JOIN range(1, length(path) + 2) AS position
GROUP BY state, kind, next
