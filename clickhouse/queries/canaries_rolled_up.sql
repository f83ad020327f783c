-- How many canary conversions of each canary channel are in the daily sums.
-- model         public model id
-- start, end    Date, both inclusive
-- prefix        how the canaries' channels begin
SELECT channel, toUInt64(round(sum(conversions))) AS seen
FROM channel_performance
WHERE model = {model:String}
    AND day BETWEEN {start:Date} AND {end:Date}
    AND startsWith(channel, {prefix:String})
GROUP BY channel
