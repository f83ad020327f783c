-- Whether credits add up: per model and conversion the weights to 1 and the values exactly to the conversion's. No parameters.
SELECT
    count() AS conversions,
    sum(credit_rows) AS credits,
    countIf(abs(weights - 1) > 1e-9 OR credit_micros != conversion_micros) AS broken
FROM
(
    SELECT
        model,
        conversion_id,
        count() AS credit_rows,
        sum(weight) AS weights,
        sum(value_micros) AS credit_micros
    FROM credits
    GROUP BY model, conversion_id
) AS c
FULL OUTER JOIN
(
    SELECT model, conversion_id, sum(value_micros) AS conversion_micros
    FROM conversions_attributed
    GROUP BY model, conversion_id
) AS v USING (model, conversion_id)
