-- Staged journeys by the set of their channels; replicates as in training_transitions. With positions above 0 a member of a
-- set is "<rank>:<channel>", the rank of the channel's first touch among the distinct channels of its journey, from 1; later
-- ranks share the last one.
-- stage; positions: 0 for channels alone
WITH arrayDistinct(path) AS met
SELECT
    arraySort(
        if(
            {positions:UInt8} = 0,
            met,
            arrayMap(
                (channel, rank) -> concat(toString(least(rank, {positions:UInt8})), ':', channel),
                met,
                arrayEnumerate(met)
            )
        )
    ) AS channels,
    countIf(converted = 1) AS conversions,
    countIf(converted = 0) AS nulls,
    sumForEachIf(weights, converted = 1) AS replicate_conversions,
    sumForEachIf(weights, converted = 0) AS replicate_nulls
FROM (SELECT CAST(path, 'Array(String)') AS path, converted, weights FROM {stage:Identifier})
GROUP BY channels
