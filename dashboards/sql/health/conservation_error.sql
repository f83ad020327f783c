-- Micros by which credits differ from the value of their conversion, over all models and all rows written in the period. It must be 0.
SELECT sum(arraySum(of_model -> abs(of_model - value_micros), of_models)) AS micros
FROM
(
    SELECT value_micros, arrayReduce('sumForEach', `t.value_micros`) AS of_models
    FROM attributions
    WHERE run_id = toUInt32(${run:sqlstring}) AND $__timeFilter(inserted_at) AND is_deleted = 0
)
