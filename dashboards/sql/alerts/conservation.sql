-- Micros by which credits of the active run differ from the value of their conversion, over all rows written in the last quarter of an hour.
SELECT sum(arraySum(of_model -> abs(of_model - value_micros), of_models)) AS micros
FROM
(
    SELECT value_micros, arrayReduce('sumForEach', `t.value_micros`) AS of_models
    FROM attributions
    WHERE run_id = (SELECT argMax(run_id, switched_at) FROM active_run)
      AND $__timeFilter(inserted_at)
      AND is_deleted = 0
)
