-- Transitions of the staged journeys: from a state (the channels of the last touches, '' before the first one) to the
-- channel of the next touch, or to how the journey ended. replicates are the same counts by the weights of the bootstrap.
-- stage; depth: touches in a state, 1 to 3
WITH
    arrayConcat(arrayResize([''], {depth:UInt8}, ''), path) AS padded
SELECT
    arraySlice(padded, position, {depth:UInt8}) AS state,
    if(position > length(path), if(converted, 'conversion', 'null'), 'channel') AS kind,
    if(position > length(path), '', path[position]) AS next,
    count() AS journeys,
    sumForEach(weights) AS replicates
FROM (SELECT CAST(path, 'Array(String)') AS path, converted, weights FROM {stage:Identifier})
ARRAY JOIN range(1, length(path) + 2) AS position
GROUP BY state, kind, next
