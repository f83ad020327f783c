-- Rows of the customers of one slice.
-- slices, slice   customers with CRC32(id) % slices = slice
SELECT conversion_id, customer_id, value_micros, models, `t.id` AS ids, `t.channel` AS channels,
       `t.weights` AS weights, `t.value_micros` AS micros
FROM attributions FINAL
WHERE is_deleted = 0 AND CRC32(customer_id) % {slices:UInt32} = {slice:UInt32}
