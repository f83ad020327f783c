-- The trace that brought an event, 32 hexadecimal digits; empty for nearly all. Only sampled traces get here.
ALTER TABLE touchpoints ADD COLUMN IF NOT EXISTS trace_id String DEFAULT '' CODEC(ZSTD);
ALTER TABLE conversions ADD COLUMN IF NOT EXISTS trace_id String DEFAULT '' CODEC(ZSTD);
