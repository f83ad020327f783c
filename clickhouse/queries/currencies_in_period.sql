-- Currencies that have credits or spend in a period.
-- start, end        Date, both inclusive
-- model             public model id
-- conversion_type   '' for all types
SELECT DISTINCT toString(currency) AS currency
FROM
(
    SELECT currency
    FROM credits_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
      AND model = {model:String}
      AND ({conversion_type:String} = '' OR conversion_type = {conversion_type:String})

    UNION ALL

    SELECT currency
    FROM spend_by_day
    WHERE day BETWEEN {start:Date} AND {end:Date}
)
ORDER BY currency
