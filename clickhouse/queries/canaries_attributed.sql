-- How many canary conversions of one run are attributed to each canary channel.
-- model         public model id; a canary has one touchpoint, so any will do
-- start, end    Date, both inclusive
-- after, before bounds of the canaries' conversion ids
SELECT path[1] AS channel, count() AS seen
FROM conversions_attributed
WHERE model = {model:String}
    AND toDate(converted_at) BETWEEN {start:Date} AND {end:Date}
    AND conversion_id > {after:String}
    AND conversion_id < {before:String}
GROUP BY channel
