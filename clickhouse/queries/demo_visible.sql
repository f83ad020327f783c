-- How many touchpoints that were published in each 20 ms can be read now. Parameter: since_ms, epoch milliseconds.
SELECT
    intDiv(toUnixTimestamp64Milli(received_at), 20) AS bucket,
    count() AS touchpoints
FROM touchpoints
WHERE received_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
GROUP BY bucket
ORDER BY bucket
