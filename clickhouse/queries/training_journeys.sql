-- Staged journeys with at least one touch, one row each, with the times of the newest touches of each; of many, a sample by
-- the hash of the customer. Ordered, so that the same journeys come in the same order whatever order they were stored in.
-- stage; most: rows; touches: of a journey
SELECT
    customer,
    arraySlice(CAST(path, 'Array(String)'), -{touches:UInt32}) AS channels,
    arraySlice(times, -{touches:UInt32}) AS at,
    converted
FROM {stage:Identifier}
WHERE notEmpty(path)
ORDER BY cityHash64(customer), customer, at, channels, converted
LIMIT {most:UInt32}
